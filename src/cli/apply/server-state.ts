import { z } from "zod";
import { type Client, client } from "../commands/client-schema.ts";
import type { Session } from "../commands/session.ts";
import { ApiError, Failure, UsageError } from "../failure.ts";
import { formatCount, Progress } from "../progress.ts";
import type { Desired } from "./desired.ts";
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
  clientTags: ReadonlyMap<string, string>;
}

/**
 * Reads the catalogue and the named clients as they are now, past every cache of the server.
 *
 * @throws Failure if the server is an older version without ETags, which would also take a rehearsal for earnest
 */
export async function readState(
  session: Session,
  clientIds: readonly string[],
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
  return { scopes, clients, catalogueTag: etag, clientTags };
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
 * Finds what the names of `--prune` mean. `client:` and `scope:` before a name say which of the two it is.
 *
 * @returns what to delete, and the names that nothing has
 * @throws UsageError for a name that the file has, or that a client and a scope have
 */
export function findPruned(
  names: readonly string[],
  { scopes = {}, clients = {} }: Desired,
  state: Current,
): Pruned & { unknown: string[] } {
  const found = {
    scopes: [] as string[],
    clients: [] as string[],
    unknown: [] as string[],
  };
  for (const given of names) {
    const [, kind, rest = given] = /^(client|scope):(.+)$/s.exec(given) ?? [];
    // A scope may have a colon in its name.
    const isScope =
      state.scopes.has(given) || (kind !== "client" && state.scopes.has(rest));
    const scope = state.scopes.has(given) ? given : rest;
    const isClient = kind !== "scope" && state.clients.has(rest);
    if (isScope && isClient)
      throw new UsageError(
        `--prune ${given}: there are a client and a scope with this name. Write client:${rest} or scope:${rest}.`,
      );
    if (
      (isScope && Object.hasOwn(scopes, scope)) ||
      (isClient && Object.hasOwn(clients, rest))
    )
      throw new UsageError(
        `--prune ${given}: the file has this name, so it would be made and deleted. Remove it from the file, or leave out --prune.`,
      );
    if (isScope) found.scopes.push(scope);
    else if (isClient) found.clients.push(rest);
    else found.unknown.push(given);
  }
  return found;
}

/** The client ids that a name of `--prune` may mean. */
export function prunedClientId(given: string): string {
  return given.replace(/^client:/, "");
}
