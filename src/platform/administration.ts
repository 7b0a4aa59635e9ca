import {
  adminTokensRecord,
  readAdminTokens,
  storedAdminTokens,
  type StoredAdminTokens,
} from "../oauth/admin-token-record.ts";
import type {
  AdminTokenRepository,
  AdminTokens,
} from "../oauth/admin-tokens.ts";
import type { Administration } from "../oauth/administration.ts";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import { parse } from "../oauth/schema.ts";
import type { AccessSettings } from "../oauth/settings.ts";
import { AccessKeys } from "./access-keys.ts";
import { KvRecords } from "./kv-records.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

const KEY = "admin_tokens";

/** Makes what only the admin API needs of Cloudflare. */
export function makeAdministration(
  env: Env,
  access: AccessSettings | undefined,
): Administration {
  return {
    tokens: new KvAdminTokenRepository(env.KV, env.KV_RECORD_WRITER),
    access: access ? new AccessKeys(access) : { verify: async () => undefined },
  };
}

/** Keeps the named admin tokens in KV, in one record. */
class KvAdminTokenRepository implements AdminTokenRepository {
  readonly #records: KvRecords<StoredAdminTokens>;

  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
  ) {
    this.#records = new KvRecords(kv, writers, (_key, record) =>
      parse(adminTokensRecord, record),
    );
  }

  async find(): Promise<AdminTokens> {
    return readAdminTokens((await this.#records.find(KEY)) ?? {});
  }

  async findAgain(): Promise<AdminTokens> {
    return readAdminTokens((await this.#records.findFresh(KEY)) ?? {});
  }

  async read(): Promise<AdminTokens> {
    return readAdminTokens((await this.#records.readCurrent(KEY)) ?? {});
  }

  async update(change: (current: AdminTokens) => AdminTokens): Promise<void> {
    await this.#records.update(KEY, (current) => ({
      record: storedAdminTokens(change(readAdminTokens(current() ?? {}))),
    }));
  }

  async problems(): Promise<Problem[]> {
    try {
      await this.findAgain();
      return [];
    } catch (error) {
      if (error instanceof OAuthError && error.details.problems)
        return error.details.problems;
      throw error;
    }
  }
}
