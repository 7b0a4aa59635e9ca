import type { Client, ResourceCatalogue } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import type {
  ClientQuery,
  ClientRepository,
  SignInLookUp,
} from "../repositories.ts";
import type { Seconds } from "../duration.ts";
import { withCatalogueRule } from "./catalogue-rule.ts";
import { withDocumentPart } from "./document-part.ts";

/** The two ways to find a record: in a copy that is at most a minute old, or at most a second. */
type LookUp = "find" | "findAgain";

/** The stored clients. */
export interface StoredClients extends Omit<
  ClientRepository,
  "find" | "findAgain" | "findForSignIn"
> {
  /**
   * Looks up a client that is not disabled.
   *
   * @returns `isTaken`: the id has a record, also if its client is disabled or deleted
   */
  lookUp(
    clientId: string,
    how: LookUp,
  ): Promise<{ client: Client | undefined; isTaken: boolean }>;
}

/** Reads the clients of metadata documents. Every method throws OAuthError if a document is not read. */
export interface DocumentReader {
  /** Returns this isolate's copy of a document, if it is fresh. Reads nothing. */
  peek(url: string): Client | undefined;
  /** Returns this isolate's copy of a document, or reads it. */
  read(url: string, network: string): Promise<Client>;
  /** Returns a document that is fresh. @param stored the record of the client, for a site that does not answer */
  readForSignIn(
    url: string,
    lookUp: SignInLookUp,
    stored: Client | undefined,
  ): Promise<Client>;
}

/**
 * Finds clients that nobody has registered by hand, beside the stored ones: those of metadata documents, and what the
 * resource catalogue gives to each client that registered itself. For every other client nothing more is read.
 */
export class SelfRegisteredClients implements ClientRepository {
  readonly #stored: StoredClients;
  readonly #catalogue: (how: LookUp) => Promise<ResourceCatalogue>;
  readonly #loadDocuments: (() => Promise<DocumentReader>) | undefined;
  #documents: DocumentReader | undefined;

  /** @param loadDocuments undefined: no metadata documents are read */
  constructor(
    stored: StoredClients,
    catalogue: (how: LookUp) => Promise<ResourceCatalogue>,
    loadDocuments: (() => Promise<DocumentReader>) | undefined,
  ) {
    this.#stored = stored;
    this.#catalogue = catalogue;
    this.#loadDocuments = loadDocuments;
  }

  find(clientId: string, network = ""): Promise<Client | undefined> {
    return this.#find("find", clientId, network);
  }

  findAgain(clientId: string, network = ""): Promise<Client | undefined> {
    return this.#find("findAgain", clientId, network);
  }

  async findForSignIn(
    clientId: string,
    lookUp: SignInLookUp,
  ): Promise<Client | undefined> {
    const { client, isTaken } = await this.#stored.lookUp(
      clientId,
      "findAgain",
    );
    const isOfDocument = client
      ? client.registered_by === "metadata_document"
      : !isTaken && isLikeUrl(clientId);
    if (!isOfDocument) return this.#complete(client, "findAgain");
    const documents = await this.#load();
    // Where documents are off, the clients that came by them sign nobody in anew.
    return this.#complete(
      await documents?.readForSignIn(clientId, lookUp, client),
      "findAgain",
    );
  }

  async #find(
    how: LookUp,
    clientId: string,
    network: string,
  ): Promise<Client | undefined> {
    const { client, isTaken } = await this.#stored.lookUp(clientId, how);
    if (client)
      return this.#complete(await this.#asDocumentSays(client, network), how);
    if (isTaken || !this.#loadDocuments || !isLikeUrl(clientId))
      return undefined;
    const documents = await this.#load();
    const copy = await documents
      ?.read(clientId, network)
      .catch(undefinedIfRefused);
    return this.#complete(
      copy && isByKey(copy)
        ? await this.#freshly(clientId, network, undefined)
        : copy,
      how,
    );
  }

  /**
   * Returns a stored client as a fresh copy of its document says, if this isolate has one. An old copy may be older than
   * the record, which another isolate may have written by a newer document. The document of a client that authenticates
   * with a key is read if it must be: a key that has left it must end, also if nobody signs in.
   */
  async #asDocumentSays(
    client: Client,
    network: string,
  ): Promise<Client | undefined> {
    const { client_id, registered_by } = client;
    if (registered_by !== "metadata_document") return client;
    const copy = this.#documents?.peek(client_id);
    const now = Math.floor(Date.now() / 1000);
    if (copy) return withDocumentPart(client, copy, now);
    return isByKey(client) && this.#loadDocuments
      ? this.#freshly(client_id, network, client)
      : client;
  }

  /** Returns a client by its document, which is read unless this isolate has a fresh copy. */
  async #freshly(
    clientId: string,
    network: string,
    stored: Client | undefined,
  ): Promise<Client | undefined> {
    const documents = await this.#load();
    const lookUp = { network, isWanted: () => true };
    return documents
      ?.readForSignIn(clientId, lookUp, stored)
      .catch(undefinedIfRefused);
  }

  async #complete(
    client: Client | undefined,
    how: LookUp,
  ): Promise<Client | undefined> {
    return client?.registered_by === undefined
      ? client
      : withCatalogueRule(client, await this.#catalogue(how));
  }

  async #load(): Promise<DocumentReader | undefined> {
    return (this.#documents ??= await this.#loadDocuments?.());
  }

  isDisabled(clientId: string): boolean {
    return this.#stored.isDisabled(clientId);
  }

  read(clientId: string): ReturnType<ClientRepository["read"]> {
    return this.#stored.read(clientId);
  }

  list(query: ClientQuery): ReturnType<ClientRepository["list"]> {
    return this.#stored.list(query);
  }

  listDeleted(
    query: ClientQuery,
    now: Seconds,
  ): ReturnType<ClientRepository["listDeleted"]> {
    return this.#stored.listDeleted(query, now);
  }

  update(
    ...change: Parameters<ClientRepository["update"]>
  ): ReturnType<ClientRepository["update"]> {
    return this.#stored.update(...change);
  }

  replaceWithTombstone(
    ...change: Parameters<ClientRepository["replaceWithTombstone"]>
  ): ReturnType<ClientRepository["replaceWithTombstone"]> {
    return this.#stored.replaceWithTombstone(...change);
  }

  survey(): ReturnType<ClientRepository["survey"]> {
    return this.#stored.survey();
  }
}

function isByKey({ token_endpoint_auth_method: method }: Client): boolean {
  return method === "private_key_jwt";
}

/** Tells whether a client_id can be meant as the URL of a metadata document. */
function isLikeUrl(clientId: string): boolean {
  return /^https?:/i.test(clientId);
}

/** A client whose document is not good is unknown. A fault of the server, and a limit, stay what they are. */
function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof OAuthError && error.status === 400) return undefined;
  throw error;
}
