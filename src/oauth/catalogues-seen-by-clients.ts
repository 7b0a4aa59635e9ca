import { seenByClients } from "./offline-access.ts";
import type {
  CatalogueRepository,
  CataloguesRepository,
} from "./repositories.ts";
import type {
  Catalogues,
  ResourceCatalogue,
  ScopeCatalogue,
} from "./entities.ts";
import type { Settings } from "./settings.ts";

/** The stored catalogues: each of the two, and both by one read. */
interface Stored extends CataloguesRepository {
  scopes: CatalogueRepository<ScopeCatalogue>;
  resources: CatalogueRepository<ResourceCatalogue>;
}

/**
 * Returns the parts of a server that find catalogues. Where `offline_access` is required, requests of clients find it
 * among the scopes. What administrators read and change is the record.
 */
export function cataloguesSeenByClients(settings: Settings, stored: Stored) {
  const { scopes, resources } = stored;
  const parts = { scopes, resources, catalogues: stored };
  if (!settings.offline_access_required) return parts;
  const seen = (catalogue: ScopeCatalogue) =>
    seenByClients(settings, catalogue);
  const both = (found: Catalogues) => ({
    ...found,
    scopes: seen(found.scopes),
  });
  return {
    resources,
    scopes: {
      catalogue: async () => seen(await scopes.catalogue()),
      catalogueAgain: async () => seen(await scopes.catalogueAgain()),
      read: () => scopes.read(),
      problems: () => scopes.problems(),
      update: (change: (current: ScopeCatalogue) => ScopeCatalogue) =>
        scopes.update(change),
    },
    catalogues: {
      find: async () => both(await stored.find()),
      findAgain: async () => both(await stored.findAgain()),
      read: async () => both(await stored.read()),
    },
  };
}
