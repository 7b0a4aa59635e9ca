import {
  type Catalogues,
  resourceCatalogueRecord,
  type ResourceCatalogue,
  scopeCatalogueRecord,
  type ScopeCatalogue,
} from "../oauth/entities.ts";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import type {
  CatalogueRepository,
  CataloguesRepository,
} from "../oauth/repositories.ts";
import { parse } from "../oauth/schema.ts";
import { type ReadResult, valueOrThrow } from "./isolate-cache.ts";
import { KvRecords, readMany } from "./kv-records.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

/** Both catalogues as KV shows them. One that is malformed does not hide the other. */
interface Reading {
  scopes: ReadResult<ScopeCatalogue>;
  resources: ReadResult<ResourceCatalogue>;
}

/**
 * Keeps the catalogues of scopes and of resources in KV, each in one record. One operation of KV reads both, so that a
 * token request, which needs both, costs what it cost before there were resources.
 */
export class KvCatalogues implements CataloguesRepository {
  readonly scopes: KvCatalogue<ScopeCatalogue>;
  readonly resources: KvCatalogue<ResourceCatalogue>;
  readonly #read: () => Promise<Reading>;

  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
  ) {
    const scopes = new KvRecords<ScopeCatalogue>(kv, writers, (_key, record) =>
      parse(scopeCatalogueRecord, record),
    );
    const resources = new KvRecords<ResourceCatalogue>(
      kv,
      writers,
      (_key, record) => parse(resourceCatalogueRecord, record),
    );
    this.#read = async () => {
      const read = await readMany(kv, ["scopes", "resources"]);
      return {
        scopes: scopes.keep("scopes", read),
        resources: resources.keep("resources", read),
      };
    };
    this.scopes = new KvCatalogue("scopes", scopes, async () =>
      valueOrThrow((await this.#read()).scopes),
    );
    this.resources = new KvCatalogue("resources", resources, async () =>
      valueOrThrow((await this.#read()).resources),
    );
  }

  find(): Promise<Catalogues> {
    return this.#lookUp("catalogue");
  }

  findAgain(): Promise<Catalogues> {
    return this.#lookUp("catalogueAgain");
  }

  async read(): Promise<Catalogues> {
    const [scopes, resources] = await Promise.all([
      this.scopes.read(),
      this.resources.read(),
    ]);
    return { scopes, resources };
  }

  async #lookUp(how: "catalogue" | "catalogueAgain"): Promise<Catalogues> {
    // Both are looked up before an answer of KV can come, so that one read serves both.
    let reading: Promise<Reading> | undefined;
    const read = () => (reading ??= this.#read());
    const [scopes, resources] = await Promise.all([
      this.scopes[how](async () => valueOrThrow((await read()).scopes)),
      this.resources[how](async () => valueOrThrow((await read()).resources)),
    ]);
    return { scopes, resources };
  }
}

/** One of the catalogues. */
class KvCatalogue<
  T extends ScopeCatalogue | ResourceCatalogue,
> implements CatalogueRepository<T> {
  readonly #key: string;
  readonly #records: KvRecords<T>;
  readonly #read: () => Promise<T | undefined>;

  /** @param read reads both catalogues, and returns this one */
  constructor(
    key: string,
    records: KvRecords<T>,
    read: () => Promise<T | undefined>,
  ) {
    this.#key = key;
    this.#records = records;
    this.#read = read;
  }

  async catalogue(read = this.#read): Promise<T> {
    return orEmpty(await this.#records.find(this.#key, read));
  }

  async catalogueAgain(read = this.#read): Promise<T> {
    return orEmpty(await this.#records.findFresh(this.#key, read));
  }

  async read(): Promise<T> {
    return orEmpty(await this.#records.readCurrent(this.#key));
  }

  async problems(): Promise<Problem[]> {
    try {
      await this.catalogueAgain();
      return [];
    } catch (error) {
      if (error instanceof OAuthError && error.details.problems) {
        return error.details.problems;
      }
      throw error;
    }
  }

  update(change: (current: T) => T): Promise<T> {
    return this.#records.update(this.#key, (current) => ({
      record: change(orEmpty(current())),
    }));
  }
}

/** The catalogue that has no record. There is one, because what is derived from a catalogue is kept by it. */
const empty = Object.freeze({});

function orEmpty<T extends object>(catalogue: T | undefined): T {
  return catalogue ?? (empty as T);
}
