import type { Seconds } from "../oauth/duration.ts";
import type { Client } from "../oauth/entities.ts";
import {
  OAuthError,
  type Reason,
  type Refused,
  throwIfRefused,
} from "../oauth/errors.ts";
import { logEvent } from "../oauth/events.ts";
import type { GuessLimit } from "../oauth/guess-limit.ts";
import type { SignInLookUp } from "../oauth/repositories.ts";
import type { DocumentReader } from "../oauth/self-registration/client-repository.ts";
import { readDocument } from "../oauth/self-registration/document.ts";
import { withDocumentPart } from "../oauth/self-registration/document-part.ts";
import {
  documentUrlRefusal,
  isOwn,
} from "../oauth/self-registration/document-url.ts";
import { USABLE_MS } from "../oauth/self-registration/freshness.ts";
import type { Settings } from "../oauth/settings.ts";
import type { Unread } from "./fetch-document.ts";
import {
  type Copy,
  FetchedDocuments,
  isFresh,
  isNew,
} from "./fetched-documents.ts";

/** The draft recommends 5 KiB (section 8.7), and documents of well-known clients are larger. */
const MAX_BYTES = 16 * 1024;

/** The reasons that say nothing of the document. */
const silent = new Set<Reason>([
  "metadata_document_unreachable",
  "metadata_documents_limited",
]);

/** Reads the clients of metadata documents. */
export class MetadataDocuments implements DocumentReader {
  readonly #settings: Settings;
  readonly #documents: FetchedDocuments<Client>;

  constructor(settings: Settings, guesses: GuessLimit) {
    this.#settings = settings;
    const rules = {
      accept: "application/json",
      maxBytes: MAX_BYTES,
      isOwn: (url: string) => isOwn(url, settings),
      read: (url: string, text: string) =>
        readDocument(url, text, settings.issuer),
      note,
    };
    this.#documents = new FetchedDocuments(rules, guesses);
  }

  peek(url: string): Client | undefined {
    const copy = this.#documents.peek(url);
    return copy && isFresh(copy) ? copy.content : undefined;
  }

  read(url: string, network: string): Promise<Client> {
    return this.#readUnless(isUsable, url, network);
  }

  async readForSignIn(
    url: string,
    { network, isWanted }: SignInLookUp,
    stored: Client | undefined,
  ): Promise<Client> {
    const merged = (document: Client) =>
      stored ? withDocumentPart(stored, document, now()) : document;
    try {
      const document = await this.#readUnless(isFresh, url, network);
      if (isWanted(document)) return merged(document);
      // The document may have changed, so it is read again before the client is refused.
      return merged(await this.#readUnless(isNew, url, network));
    } catch (error) {
      const isSilent = error instanceof OAuthError && silent.has(error.reason);
      // A site that is down keeps nobody out who was known before. One that answers 404 has withdrawn its client.
      const copy = isSilent && this.#documents.peek(url);
      const known =
        copy && isUsable(copy) ? merged(copy.content) : isSilent && stored;
      if (known) return known;
      throw error;
    }
  }

  async #readUnless(
    isGood: (copy: Copy<Client>) => boolean,
    url: string,
    network: string,
  ): Promise<Client> {
    const refusal = documentUrlRefusal(url, this.#settings);
    if (refusal) throwIfRefused(refusal);
    const copy = await this.#documents.readUnless(isGood, url, network);
    return "unread" in copy
      ? throwIfRefused<Client>(refusalOf(copy))
      : copy.content;
  }
}

function now(): Seconds {
  return Math.floor(Date.now() / 1000);
}

function isUsable({ readAt }: Copy<Client>): boolean {
  return Date.now() < readAt + USABLE_MS;
}

function note(client_id: string, why: Unread): void {
  const { refused: reason } = refusalOf(why);
  const { problem } = why;
  logEvent("metadata_document.refused", { client_id, reason, problem });
}

function refusalOf({ unread, problem }: Unread): Refused {
  return { refused: `metadata_document_${unread}`, subject: problem };
}
