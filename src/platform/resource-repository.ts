import {
  resourceCatalogueRecord,
  type ResourceCatalogue,
} from "../oauth/entities.ts";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import type { ResourceRepository } from "../oauth/repositories.ts";
import { parse } from "../oauth/schema.ts";
import { KvRecords } from "./kv-records.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

const KEY = "resources";

/** Keeps the catalogue of protected resources in KV, in one record. */
export class KvResourceRepository implements ResourceRepository {
  readonly #records: KvRecords<ResourceCatalogue>;

  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
  ) {
    this.#records = new KvRecords(kv, writers, (_key, record) =>
      parse(resourceCatalogueRecord, record),
    );
  }

  async catalogue(): Promise<ResourceCatalogue> {
    return (await this.#records.find(KEY)) ?? {};
  }

  async catalogueAgain(): Promise<ResourceCatalogue> {
    return (await this.#records.findFresh(KEY)) ?? {};
  }

  async read(): Promise<ResourceCatalogue> {
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
    change: (current: ResourceCatalogue) => ResourceCatalogue,
  ): Promise<ResourceCatalogue> {
    return this.#records.update(KEY, (current) => ({
      record: change(current() ?? {}),
    }));
  }
}
