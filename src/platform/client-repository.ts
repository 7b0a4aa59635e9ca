import { z } from "zod";
import {
  clientRecord,
  clientTombstone,
  type Client,
  type ClientTombstone,
} from "../oauth/entities.ts";
import type { Problem } from "../oauth/errors.ts";
import type { ClientPage, ClientRepository } from "../oauth/repositories.ts";
import { KvRecords } from "./kv-records.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

const PREFIX = "client:";

/** How many of KV's pages may hold nothing but tombstones before an empty page is shown. */
const MAX_ROUNDS = 10;

/** How many clients a health check looks at; a server with more learns of a bad one as it is used. */
const MAX_CHECKED = 1_000;

/** Clients in KV, at `client:<client_id>`. */
export class KvClientRepository implements ClientRepository {
  readonly #records: KvRecords<Client | ClientTombstone>;

  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
  ) {
    this.#records = new KvRecords(kv, writers, schemaOf);
  }

  async find(clientId: string): Promise<Client | undefined> {
    return living(await this.#records.find(PREFIX + clientId));
  }

  async findAgain(clientId: string): Promise<Client | undefined> {
    return living(await this.#records.findAgain(PREFIX + clientId));
  }

  read(clientId: string): Promise<Client | ClientTombstone | undefined> {
    return this.#records.readCurrent(PREFIX + clientId);
  }

  /** Tombstones take their places in KV's pages: goes on until there is something to show. */
  async list(limit: number, from?: string): Promise<ClientPage> {
    const page: ClientPage = { clients: [], malformed: [] };
    let cursor = from;
    for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
      const next = await this.#records.keys(PREFIX, limit, cursor);
      const records = await this.#records.readAll(next.keys, ({ details }) => {
        page.malformed.push(...(details.problems ?? []));
      });
      page.clients.push(...records.flatMap((record) => living(record) ?? []));
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
      client = change(current);
      return { record: client };
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
      const { tombstone, seconds } = change(current);
      return { record: tombstone, expirationTtl: seconds };
    });
  }

  async problems(): Promise<Problem[]> {
    const problems: Problem[] = [];
    const { keys } = await this.#records.keys(PREFIX, MAX_CHECKED);
    await this.#records.readAll(keys, ({ details }) => {
      problems.push(...(details.problems ?? []));
    });
    return problems;
  }
}

function schemaOf(
  key: string,
  record: unknown,
): z.ZodType<Client | ClientTombstone> {
  const deleted =
    typeof record === "object" && record !== null && "deleted_at" in record;
  const ownId = { client_id: z.literal(key.slice(PREFIX.length)) };
  return deleted ? clientTombstone.extend(ownId) : clientRecord.extend(ownId);
}

function living(
  record: Client | ClientTombstone | undefined,
): Client | undefined {
  return record && "secrets" in record ? record : undefined;
}
