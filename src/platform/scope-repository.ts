import {
  scopeCatalogueRecord,
  type ScopeCatalogue,
} from "../oauth/entities.ts";
import type { ScopeRepository } from "../oauth/repositories.ts";
import { KvRecords } from "./kv-records.ts";
import type { RecordKeeper } from "./record-keeper.ts";

const KEY = "scopes";

/** The scope catalogue in KV: one record, so that a refresh reads one key for it. */
export class KvScopeRepository implements ScopeRepository {
  readonly #records: KvRecords<ScopeCatalogue>;

  constructor(kv: KVNamespace, keepers: DurableObjectNamespace<RecordKeeper>) {
    this.#records = new KvRecords(kv, keepers, () => scopeCatalogueRecord);
  }

  async catalogue(): Promise<ScopeCatalogue> {
    return (await this.#records.find(KEY)) ?? {};
  }

  async read(): Promise<ScopeCatalogue> {
    return (await this.#records.read(KEY)) ?? {};
  }

  update(
    change: (current: ScopeCatalogue) => ScopeCatalogue,
  ): Promise<ScopeCatalogue> {
    return this.#records.update(KEY, (current) => ({
      record: change(current() ?? {}),
    }));
  }
}
