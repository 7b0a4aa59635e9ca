import {
  scopeCatalogueRecord,
  type ScopeCatalogue,
} from "../oauth/entities.ts";
import type { ScopeRepository } from "../oauth/repositories.ts";
import { KvRecords } from "./kv-records.ts";

const KEY = "scopes";

/** The scope catalogue in KV: one record, so that a refresh reads one key for it. */
export class KvScopeRepository implements ScopeRepository {
  readonly #records: KvRecords<ScopeCatalogue>;

  constructor(kv: KVNamespace) {
    this.#records = new KvRecords(kv, () => scopeCatalogueRecord);
  }

  async catalogue(): Promise<ScopeCatalogue> {
    return (await this.#records.find(KEY)) ?? {};
  }

  async read(): Promise<ScopeCatalogue> {
    return (await this.#records.read(KEY)) ?? {};
  }

  save(catalogue: ScopeCatalogue): Promise<void> {
    return this.#records.write(KEY, catalogue);
  }
}
