import { ApiError, Failure } from "../failure.ts";
import { printable } from "../output.ts";
import { quoteArgument } from "../shell.ts";
import { clientPage } from "./client-schema.ts";
import type { Session } from "./session.ts";

/** The most candidates that an error lists. */
const MAX_CANDIDATES = 10;

/**
 * Runs a command for one client, whose id may be typed in part. An id that exists is never taken for the
 * beginning of another one.
 *
 * @param run gets the whole id. It is called again if there is no client with exactly the typed id
 * @param deleted true: the client is one of the deleted ones
 * @throws Failure with the candidates, if several ids begin with what was typed
 */
export async function forClient<T>(
  session: Session,
  typed: string,
  run: (id: string) => Promise<T>,
  { deleted = false } = {},
): Promise<T> {
  try {
    return await run(typed);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    const id = await findByPrefix(session, typed, deleted);
    if (id === undefined) throw await noClient(session, typed, error);
    return run(id);
  }
}

/**
 * Runs a command for one client, whose id must be typed in full, because the command loses something.
 *
 * @throws ApiError that names the client, and the one that may be meant
 */
export async function forExactClient<T>(
  session: Session,
  typed: string,
  run: (id: string) => Promise<T>,
): Promise<T> {
  try {
    return await run(typed);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    throw await noClient(session, typed, error);
  }
}

/** Makes the error for a client that is not there: it names one that was deleted, or whose id begins like this. */
async function noClient(
  session: Session,
  typed: string,
  error: ApiError,
): Promise<Failure> {
  if (!/no such client/.test(error.message)) return error;
  const deleted = await session.request({
    method: "GET",
    path: ["clients"],
    query: { prefix: typed, limit: "1", deleted: "true" },
    schema: clientPage,
  });
  const isDeleted = deleted.clients.some(({ client_id: id }) => id === typed);
  const meant = isDeleted
    ? undefined
    : await findByPrefix(session, typed, false);
  const hint = isDeleted
    ? ` It was deleted. To restore it: ${session.commandLine(`clients restore ${quoteArgument(typed)}`)}`
    : meant === undefined
      ? ""
      : ` Did you mean ${printable(meant)}?`;
  return new ApiError(
    `There is no client ${printable(typed)}.${hint}`,
    error.body,
    error.status,
  );
}

/** Finds the only client whose id begins with a text. @throws Failure if there are several */
async function findByPrefix(
  session: Session,
  prefix: string,
  deleted: boolean,
): Promise<string | undefined> {
  const limit = String(MAX_CANDIDATES + 1);
  const page = await session.request({
    method: "GET",
    path: ["clients"],
    query: { prefix, limit, ...(deleted && { deleted: "true" }) },
    schema: clientPage,
  });
  const [first, ...others] = page.clients.map(({ client_id }) => client_id);
  if (first === undefined) return undefined;
  if (others.length === 0 && page.cursor === undefined) return first;
  const ids = [first, ...others];
  const shown = ids.slice(0, MAX_CANDIDATES).map((id) => `  ${printable(id)}`);
  const more = ids.length > MAX_CANDIDATES || page.cursor !== undefined;
  throw new Failure(
    [
      `Several client ids begin with ${printable(prefix)}. Type more of the one that you mean:`,
      ...shown,
      ...(more ? ["  … and others"] : []),
    ].join("\n"),
  );
}
