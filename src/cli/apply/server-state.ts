import { z } from "zod";
import { type Client, client } from "../commands/client-schema.ts";
import { resourceList } from "../commands/resources.ts";
import type { Session } from "../commands/session.ts";
import { ApiError, Failure, UsageError } from "../failure.ts";
import { formatCount, Progress } from "../progress.ts";
import {
  type Desired,
  type DesiredResource,
  resourceFieldNames,
} from "./desired.ts";
import type { Current, Pruned } from "./difference.ts";

/** The most requests at the same time. */
const MAX_REQUESTS = 6;

/** The scope catalogue, as the server lists it. */
export const catalogue = z.looseObject({
  scopes: z.array(
    z.looseObject({
      scope: z.string(),
      description: z.string(),
      claims: z.array(z.string()).optional(),
    }),
  ),
});

/** The state of a server, with the ETags that a change needs so that it overwrites nothing that came later. */
export interface ServerState extends Current {
  catalogueTag: string;
  /** Undefined: the resources were not read, because nothing of them is to be changed. */
  resourcesTag?: string | undefined;
  clientTags: ReadonlyMap<string, string>;
}

/** Reads the resources. Undefined: the server is an older version, which has none. */
export async function readResources(session: Session) {
  try {
    const { body, etag } = await session.requestTagged({
      method: "GET",
      path: ["resources"],
      schema: resourceList,
    });
    const resources = new Map(
      body.resources.map(
        ({ resource, ...entry }): [string, DesiredResource] => [
          resource,
          Object.fromEntries(
            resourceFieldNames
              .map((field) => [field, entry[field]] as const)
              .filter(([, value]) => value !== undefined),
          ),
        ],
      ),
    );
    return { resources, etag };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * Reads the catalogue and the named clients as they are now, past every cache of the server.
 *
 * @param needsResources true: the file or `--prune` may name resources
 * @throws Failure if the server is an older version without ETags, which would also take a rehearsal for earnest
 */
export async function readState(
  session: Session,
  clientIds: readonly string[],
  needsResources = false,
): Promise<ServerState> {
  const { body, etag } = await session.requestTagged({
    method: "GET",
    path: ["scopes"],
    schema: catalogue,
  });
  if (etag === undefined)
    throw new Failure(
      `${await session.serverUrl()} runs an older version of Baton, whose answers have no ETag. Deploy this version first.`,
    );
  const found = needsResources ? await readResources(session) : undefined;
  const clients = new Map<string, Client>();
  const clientTags = new Map<string, string>();
  const left = [...new Set(clientIds)];
  const progress = new Progress();
  const total = left.length;
  const work = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      progress.show(
        () =>
          `${formatCount(total - left.length)} of ${formatCount(total)} clients are compared.`,
      );
      const found = await readClient(session, id);
      if (!found) continue;
      clients.set(id, found.body);
      clientTags.set(id, found.etag ?? "");
    }
  };
  try {
    await Promise.all(Array.from({ length: MAX_REQUESTS }, work));
  } finally {
    progress.end();
  }
  const scopes = new Map(
    body.scopes.map(({ scope, description, claims }) => [
      scope,
      { description, ...(claims && { claims }) },
    ]),
  );
  return {
    scopes,
    resources: found?.resources ?? new Map(),
    clients,
    catalogueTag: etag,
    resourcesTag: found?.etag,
    clientTags,
  };
}

async function readClient(session: Session, id: string) {
  try {
    return await session.requestTagged({
      method: "GET",
      path: ["clients", id],
      schema: client,
    });
  } catch (error) {
    // 400: no client can have this id. If it is to be created, the rehearsal says why.
    if (error instanceof ApiError && [400, 404].includes(error.status))
      return undefined;
    throw error;
  }
}

/**
 * Finds what the names of `--prune` mean. `client:`, `scope:` and `resource:` before a name say which of them it is.
 *
 * @returns what to delete, and the names that nothing has
 * @throws UsageError for a name that the file has, or that has several meanings
 */
export function findPruned(
  names: readonly string[],
  desired: Desired,
  state: Current,
): Pruned & { unknown: string[] } {
  const found = {
    scopes: [] as string[],
    resources: [] as string[],
    clients: [] as string[],
    unknown: [] as string[],
  };
  for (const given of names) {
    const [, word, rest = ""] =
      /^(client|scope|resource):(.+)$/s.exec(given) ?? [];
    // A scope may have such a word in its name.
    const meanings = (["client", "scope", "resource"] as const).flatMap(
      (kind) => {
        const list = `${kind}s` as const;
        if (state[list].has(given)) return { kind, list, name: given };
        return word === kind && state[list].has(rest)
          ? { kind, list, name: rest }
          : [];
      },
    );
    const [meaning, another] = meanings;
    if (!meaning) {
      found.unknown.push(given);
      continue;
    }
    if (another) {
      const kinds = meanings.map(({ kind }) => `a ${kind}`).join(" and ");
      const spellings = meanings.map(({ kind, name }) => `${kind}:${name}`);
      throw new UsageError(
        `--prune ${given}: there are ${kinds} with this name. Write ${spellings.join(" or ")}.`,
      );
    }
    const { list, name } = meaning;
    if (Object.hasOwn(desired[list] ?? {}, name))
      throw new UsageError(
        `--prune ${given}: the file has this name, so it would be made and deleted. Remove it from the file, or leave out --prune.`,
      );
    found[list].push(name);
  }
  return found;
}

/** The client ids that a name of `--prune` may mean. */
export function prunedClientId(given: string): string {
  return given.replace(/^client:/, "");
}
