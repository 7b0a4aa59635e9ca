import type { Seconds } from "../oauth/duration.ts";
import {
  clientRecord,
  clientTombstone,
  type Client,
  type ClientTombstone,
  type DeletedClient,
  restorableClient,
} from "../oauth/entities.ts";
import type { Problem } from "../oauth/errors.ts";
import type {
  ClientPage,
  ClientQuery,
  ClientSurvey,
} from "../oauth/repositories.ts";
import { parse, type Parsed } from "../oauth/schema.ts";
import type { StoredClients } from "../oauth/self-registration/client-repository.ts";
import { KvRecords } from "./kv-records.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

const PREFIX = "client:";

/** The most pages of KV that `list` reads while they hold only tombstones. Then it returns an empty page. */
const MAX_PAGES_READ = 10;

/** The most records that `survey` reads. Any other malformed record shows when it is used. */
const MAX_CHECKED = 1_000;

/** The shortest time after which KV removes a record, in seconds. */
const MIN_EXPIRATION_SECONDS = 60;

/**
 * Stored as `disabled_at` of a client that registered itself and is not disabled. A version before 0.4.0 does not know
 * that such a client needs the user's consent, so after a rollback the client must be unknown.
 */
const DISABLED_BEFORE_0_4 = 0;

/** Keeps clients in KV, under `client:<client_id>`. */
export class KvClientRepository implements StoredClients {
  readonly #records: KvRecords<Client | ClientTombstone>;

  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
  ) {
    this.#records = new KvRecords(kv, writers, parseRecord);
  }

  async lookUp(
    clientId: string,
    how: "find" | "findAgain",
  ): Promise<{ client: Client | undefined; isTaken: boolean }> {
    const key = PREFIX + clientId;
    const record = await (how === "find"
      ? this.#records.find(key)
      : this.#records.findFresh(key));
    const client = living(record);
    const isOver = client !== undefined && hasExpired(client);
    return {
      client: client?.disabled_at === undefined && !isOver ? client : undefined,
      isTaken: record !== undefined && !isOver,
    };
  }

  isDisabled(clientId: string): boolean {
    const client = living(this.#records.peek(PREFIX + clientId));
    return client?.disabled_at !== undefined;
  }

  async read(clientId: string): Promise<Client | ClientTombstone | undefined> {
    return fromStored(await this.#records.readCurrent(PREFIX + clientId));
  }

  list(query: ClientQuery): Promise<ClientPage> {
    return this.#list(query, living);
  }

  listDeleted(
    query: ClientQuery,
    now: Seconds,
  ): Promise<ClientPage<DeletedClient>> {
    return this.#list(query, (record) =>
      "secrets" in record ? undefined : restorableClient(record, now),
    );
  }

  /**
   * Lists a page of the records that `select` returns something for. Where the others fill a whole page of KV,
   * the next page is read, so that an empty page is rare.
   */
  async #list<T extends Client>(
    { limit, cursor: from, prefix = "" }: ClientQuery,
    select: (record: Client | ClientTombstone) => T | undefined,
  ): Promise<ClientPage<T>> {
    const page: ClientPage<T> = { clients: [], malformed: [] };
    let cursor = from;
    for (let pages = 0; pages < MAX_PAGES_READ; pages++) {
      const next = await this.#records.keys(PREFIX + prefix, limit, cursor);
      const records = await this.#records.readAll(next.keys, ({ details }) => {
        page.malformed.push(...(details.problems ?? []));
      });
      page.clients.push(...records.flatMap((record) => select(record) ?? []));
      ({ cursor } = next);
      if (
        cursor === undefined ||
        page.clients.length + page.malformed.length > 0
      )
        break;
    }
    return { ...page, ...(cursor !== undefined && { cursor }) };
  }

  async update(
    clientId: string,
    change: (current: () => Client | ClientTombstone | undefined) => Client,
  ): Promise<Client> {
    let client: Client | undefined;
    await this.#records.update(PREFIX + clientId, (current) => {
      client = change(() => fromStored(current()));
      return { record: toStored(client), ...expiryOf(client) };
    });
    return client!;
  }

  async replaceWithTombstone(
    clientId: string,
    change: (current: () => Client | ClientTombstone | undefined) => {
      tombstone: ClientTombstone;
      seconds: number;
    },
  ): Promise<void> {
    await this.#records.update(PREFIX + clientId, (current) => {
      const { tombstone, seconds } = change(() => fromStored(current()));
      return { record: tombstone, expirationTtl: seconds };
    });
  }

  async survey(): Promise<ClientSurvey> {
    const malformed: Problem[] = [];
    const { keys, cursor } = await this.#records.keys(PREFIX, MAX_CHECKED);
    const records = await this.#records.readAll(keys, ({ details }) => {
      malformed.push(...(details.problems ?? []));
    });
    const clients = records.flatMap((record) => living(record) ?? []);
    return { clients, malformed, hasMore: cursor !== undefined };
  }
}

function parseRecord(
  key: string,
  record: unknown,
): Parsed<Client | ClientTombstone> {
  const deleted =
    typeof record === "object" && record !== null && "deleted_at" in record;
  const parsed = parse(deleted ? clientTombstone : clientRecord, record);
  if (parsed.issues || parsed.data.client_id === key.slice(PREFIX.length))
    return parsed;
  const message = "must be the id in the key";
  return { issues: [{ path: ["client_id"], message }] };
}

/** Tells whether a registration has ended. KV removes its record, and caches may have it for a little longer. */
function hasExpired(client: Client): boolean {
  const end = endOf(client);
  return end !== undefined && end * 1000 <= Date.now();
}

/**
 * Returns the end of a registration. That of a disabled client has none, because the client of a metadata document
 * would come back when the record that blocks it is gone.
 */
function endOf({ registration_expires_at, disabled_at }: Client) {
  return disabled_at === undefined ? registration_expires_at : undefined;
}

/** Returns the time after which KV removes the record of a client: with the end of its registration. */
function expiryOf(client: Client): { expirationTtl?: number } {
  const end = endOf(client);
  if (end === undefined) return {};
  const seconds = end - Math.floor(Date.now() / 1000);
  return { expirationTtl: Math.max(seconds, MIN_EXPIRATION_SECONDS) };
}

function living(
  record: Client | ClientTombstone | undefined,
): Client | undefined {
  const current = fromStored(record);
  return current && "secrets" in current ? current : undefined;
}

/** Makes the record of a client. */
function toStored(client: Client): Client {
  return client.registered_by === undefined || client.disabled_at !== undefined
    ? client
    : { ...client, disabled_at: DISABLED_BEFORE_0_4 };
}

/** Reads a record, or returns a client as it is. */
function fromStored(
  record: Client | ClientTombstone | undefined,
): Client | ClientTombstone | undefined {
  if (!record || !("secrets" in record) || record.registered_by === undefined)
    return record;
  const { disabled_at, ...client } = record;
  return disabled_at === DISABLED_BEFORE_0_4 ? client : record;
}
