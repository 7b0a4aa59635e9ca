import type { Registry } from "./registration.ts";
import type { Server } from "../server.ts";

/**
 * Makes a registry for a rehearsal: every rule of the server is checked, and nothing is written.
 *
 * @param assumedScopes scopes to take as in the catalogue, because the caller will make them first
 */
export function rehearsal(
  { settings, clients, scopes, resources }: Pick<Server, keyof Registry>,
  assumedScopes: readonly string[],
): Registry {
  return {
    settings,
    resources,
    clients: {
      async update(clientId, change) {
        const current = await clients.read(clientId);
        return change(() => current);
      },
    },
    scopes: {
      async read() {
        const assumed = assumedScopes.map(
          (name) => [name, { description: name }] as const,
        );
        return { ...Object.fromEntries(assumed), ...(await scopes.read()) };
      },
    },
  };
}
