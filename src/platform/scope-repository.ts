import {
  scopeCatalogueRecord,
  type ScopeCatalogue,
} from "../oauth/entities.ts";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import type { ScopeRepository } from "../oauth/repositories.ts";
import { parse } from "../oauth/schema.ts";
import { KvRecords } from "./kv-records.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

const KEY = "scopes";

/** Keeps the scope catalogue in KV, in one record, so that a refresh reads one key for it. */
export class KvScopeRepository implements ScopeRepository {
  readonly #records: KvRecords<ScopeCatalogue>;

  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
  ) {
    this.#records = new KvRecords(kv, writers, (_key, record) =>
      parse(scopeCatalogueRecord, record),
    );
  }

  async catalogue(): Promise<ScopeCatalogue> {
    return (await this.#records.find(KEY)) ?? {};
  }

  async catalogueAgain(): Promise<ScopeCatalogue> {
    return (await this.#records.findFresh(KEY)) ?? {};
  }

  async read(): Promise<ScopeCatalogue> {
    return (await this.#records.readCurrent(KEY)) ?? {};
  }

  async problems(): Promise<Problem[]> {
    try {
      await this.#records.findFresh(KEY);
      return [];
    } catch (error) {
      if (error instanceof OAuthError && error.details.problems) {
        return error.details.problems;
      }
      throw error;
    }
  }

  update(
    change: (current: ScopeCatalogue) => ScopeCatalogue,
  ): Promise<ScopeCatalogue> {
    return this.#records.update(KEY, (current) => ({
      record: change(current() ?? {}),
    }));
  }
}
