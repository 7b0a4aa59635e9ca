import { z } from "zod";
import {
  clientRecord,
  clientTombstone,
  type Client,
  type ClientTombstone,
} from "../oauth/entities.ts";
import type { Problem } from "../oauth/errors.ts";
import type { ClientRepository } from "../oauth/repositories.ts";
import { KvRecords } from "./kv-records.ts";

const PREFIX = "client:";

/** How many clients a health check looks at; a server with more learns of a bad one as it is used. */
const MOST_CHECKED = 1_000;

/** Clients in KV, at `client:<client_id>`. */
export class KvClientRepository implements ClientRepository {
  readonly #records: KvRecords<Client | ClientTombstone>;

  constructor(kv: KVNamespace) {
    this.#records = new KvRecords(kv, schemaOf);
  }

  async find(clientId: string): Promise<Client | undefined> {
    return living(await this.#records.find(PREFIX + clientId));
  }

  async findAgain(clientId: string): Promise<Client | undefined> {
    return living(await this.#records.findAgain(PREFIX + clientId));
  }

  read(clientId: string): Promise<Client | ClientTombstone | undefined> {
    return this.#records.read(PREFIX + clientId);
  }

  async list(
    limit: number,
    cursor?: string,
  ): Promise<{ clients: Client[]; cursor?: string }> {
    const { keys, ...next } = await this.#records.keys(PREFIX, limit, cursor);
    const records = await this.#records.readAll(keys, (malformed) => {
      throw malformed;
    });
    return {
      clients: records.flatMap((record) => living(record) ?? []),
      ...next,
    };
  }

  save(client: Client): Promise<void> {
    return this.#records.write(PREFIX + client.client_id, client);
  }

  bury(tombstone: ClientTombstone, seconds: number): Promise<void> {
    return this.#records.write(PREFIX + tombstone.client_id, tombstone, {
      expirationTtl: seconds,
    });
  }

  async problems(): Promise<Problem[]> {
    const problems: Problem[] = [];
    const { keys } = await this.#records.keys(PREFIX, MOST_CHECKED);
    await this.#records.readAll(keys, ({ circumstances }) => {
      problems.push(...(circumstances.problems ?? []));
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
