import { exports } from "cloudflare:workers";
import type { Client } from "../oauth/entities.ts";
import {
  OAuthError,
  type Reason,
  type Refused,
  throwIfRefused,
} from "../oauth/errors.ts";
import { logEvent } from "../oauth/events.ts";
import type { GuessLimit } from "../oauth/guess-limit.ts";
import { Periods } from "../oauth/periods.ts";
import type { SignInLookUp } from "../oauth/repositories.ts";
import type { DocumentReader } from "../oauth/self-registration/client-repository.ts";
import { readDocument } from "../oauth/self-registration/document.ts";
import { withDocumentPart } from "../oauth/self-registration/document-part.ts";
import {
  documentUrlRefusal,
  isOwn,
} from "../oauth/self-registration/document-url.ts";
import { freshFor, USABLE_MS } from "../oauth/self-registration/freshness.ts";
import type { Settings } from "../oauth/settings.ts";

/** The time that reading one document may take, in milliseconds. */
const FETCH_MS = 5_000;
/** The time between two looks for the result of another request's fetch, in milliseconds. */
const LOOK_MS = 50;
/** The draft recommends 5 KiB (section 8.7), and documents of well-known clients are larger. */
const MAX_BYTES = 16 * 1024;
/** The most documents that an isolate keeps. */
const MAX_COPIES = 300;
/**
 * The time after a failure in which a document is not fetched again, in seconds. It is a pause and not a cache of the
 * answer (section 5.2), so it is short: the builder of an agent mends the document and tries again.
 */
const PAUSE_SECONDS = 10;

/** RFC 8259 section 11, and the more specific types of section 4 of the draft. */
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** The reasons that say nothing of the document. */
const silent = new Set<Reason>([
  "metadata_document_unreachable",
  "metadata_documents_limited",
]);

/** A document as this isolate has read it. In milliseconds since 1970. */
interface Copy {
  client: Client;
  readAt: number;
  freshUntil: number;
}

/**
 * Fetches metadata documents, one fetch at a time per URL, and keeps them in the isolate. Nothing of a document that is
 * not good leaves this file but a sentence that says what is wrong.
 */
export class MetadataDocuments implements DocumentReader {
  readonly #settings: Settings;
  readonly #guesses: GuessLimit;
  /** In the order of reading, so that the first one is the oldest. */
  readonly #copies = new Map<string, Copy>();
  readonly #failures = new Periods<Refused>(PAUSE_SECONDS);
  /** Until when a request fetches a document at the latest, by URL. */
  readonly #fetchingUntil = new Map<string, number>();

  constructor(settings: Settings, guesses: GuessLimit) {
    this.#settings = settings;
    this.#guesses = guesses;
  }

  peek(url: string): Client | undefined {
    const copy = this.#copies.get(url);
    return copy && isFresh(copy) ? copy.client : undefined;
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
      stored ? withDocumentPart(stored, document) : document;
    try {
      const document = await this.#readUnless(isFresh, url, network);
      if (isWanted(document)) return merged(document);
      // The document may have changed, so it is read again before the client is refused.
      return merged(await this.#readUnless(isNew, url, network));
    } catch (error) {
      const isSilent = error instanceof OAuthError && silent.has(error.reason);
      // A site that is down keeps nobody out who was known before. One that answers 404 has withdrawn its client.
      const copy = isSilent && this.#copies.get(url);
      const known =
        copy && isUsable(copy) ? merged(copy.client) : isSilent && stored;
      if (known) return known;
      throw error;
    }
  }

  /**
   * Returns this isolate's copy if it is good, else fetches the document. While one request fetches, the others wait
   * and do not await its promise, because Workers do not let one request await a promise of another.
   */
  async #readUnless(
    isGood: (copy: Copy) => boolean,
    url: string,
    network: string,
  ): Promise<Client> {
    const refusal = documentUrlRefusal(url, this.#settings);
    if (refusal) throwIfRefused(refusal);
    for (;;) {
      const copy = this.#copies.get(url);
      if (copy && isGood(copy)) return copy.client;
      const failure = this.#failures.current(url);
      if (failure) return throwIfRefused<Client>(failure);
      if (Date.now() >= (this.#fetchingUntil.get(url) ?? 0)) break;
      await scheduler.wait(LOOK_MS);
    }
    // Set before anything is awaited, so that no other request begins a fetch.
    this.#fetchingUntil.set(url, Date.now() + FETCH_MS);
    const guesser = { kind: "metadata_document" as const, network };
    try {
      return throwIfRefused(
        await this.#guesses.limit(
          guesser,
          () => this.#fetchAndKeep(url),
          (result) => "refused" in result,
        ),
      );
    } finally {
      this.#fetchingUntil.delete(url);
    }
  }

  async #fetchAndKeep(url: string): Promise<Client | Refused> {
    const result = await this.#fetch(url);
    if (!("refused" in result)) return this.#keep(url, result);
    const { refused: reason, subject = "" } = result;
    logEvent("metadata_document.refused", {
      client_id: url,
      reason,
      problem: subject,
    });
    this.#failures.begin(url, result);
    // The site has withdrawn its client, so the copy must not bring it back when the site is down.
    if (!silent.has(reason)) this.#copies.delete(url);
    return result;
  }

  #keep(url: string, copy: Copy): Client {
    this.#copies.delete(url);
    this.#copies.set(url, copy);
    const [oldest] = this.#copies.keys();
    if (this.#copies.size > MAX_COPIES && oldest !== undefined)
      this.#copies.delete(oldest);
    return copy.client;
  }

  /** Fetches and reads a document, with one limit of time for all of it. */
  async #fetch(url: string): Promise<Copy | Refused> {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<Refused>((resolve) => {
      timer = setTimeout(() => {
        resolve(unreachable(`no answer within ${FETCH_MS / 1000} seconds`));
        abort.abort();
      }, FETCH_MS);
    });
    const answer = this.#answer(url, abort.signal).catch(() =>
      unreachable("its host cannot be reached"),
    );
    return Promise.race([answer, silence]).finally(() => clearTimeout(timer));
  }

  async #answer(url: string, signal: AbortSignal): Promise<Copy | Refused> {
    const readAt = Date.now();
    const request = new Request(url, {
      headers: { Accept: "application/json", "User-Agent": "Baton" },
      // Section 5: the URL that is asked must be the URL that answers.
      redirect: "manual",
      signal,
    });
    // A Worker cannot reach its own host name from outside.
    const response = isOwn(url, this.#settings)
      ? await exports.default.fetch(request)
      : await fetch(request, { cache: "no-store" });
    const { status, headers } = response;
    const problem = answerProblem(status, headers);
    if (problem) {
      await response.body?.cancel();
      return problem;
    }
    const text = await textOf(response);
    if (text === undefined)
      return invalid(`it has more than ${MAX_BYTES / 1024} KiB`);
    const client = readDocument(url, text);
    if (typeof client === "string") return invalid(client);
    return { client, readAt, freshUntil: readAt + freshFor(headers, readAt) };
  }
}

function isUsable({ readAt }: Copy): boolean {
  return Date.now() < readAt + USABLE_MS;
}

function isFresh({ freshUntil }: Copy): boolean {
  return Date.now() < freshUntil;
}

function isNew({ readAt }: Copy): boolean {
  return Date.now() < readAt + PAUSE_SECONDS * 1000;
}

function answerProblem(status: number, headers: Headers): Refused | undefined {
  // The site has trouble, or too many questions. Any other status is its answer.
  if (status >= 500 || status === 429)
    return unreachable(`its URL answered ${status}`);
  if (status >= 300 && status < 400)
    return invalid(`its URL answered ${status}. Redirects are not followed`);
  if (status !== 200) return invalid(`its URL answered ${status}, not 200`);
  return jsonType.test(headers.get("Content-Type") ?? "")
    ? undefined
    : invalid("its Content-Type must be application/json");
}

/** Reads a body of bounded size. Undefined: it is larger. */
async function textOf(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function unreachable(subject: string): Refused {
  return { refused: "metadata_document_unreachable", subject };
}

function invalid(subject: string): Refused {
  return { refused: "metadata_document_invalid", subject };
}
