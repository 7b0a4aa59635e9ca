import { z } from "zod";
import type { Session } from "../commands/session.ts";
import { ApiError } from "../failure.ts";
import { formatCount, Progress } from "../progress.ts";
import { quoteArgument } from "../shell.ts";
import type { Desired } from "./desired.ts";
import type { Change } from "./difference.ts";
import type { DesiredFile, FileProblem } from "./file.ts";
import { makeChange } from "./requests.ts";
import type { ServerState } from "./server-state.ts";

const refusal = z.looseObject({
  fields: z.record(z.string(), z.string()).optional(),
});

/**
 * Lets the server check every change by its own rules, before the first one is made.
 *
 * @returns the server's warnings, each with the client that it is about
 * @throws Failure with file, line and field of each problem
 */
export async function rehearse(
  session: Session,
  file: DesiredFile,
  changes: readonly Change[],
  state: ServerState,
): Promise<string[]> {
  const { desired } = file;
  const problems = prunedScopeProblems(desired, changes);
  const warnings: string[] = [];
  const newScopes = changes
    .filter(({ action, kind }) => action === "create" && kind === "scope")
    .map(({ name }) => name);
  const progress = new Progress();
  const rehearsed = changes.filter(({ action }) => action !== "delete");
  const total = formatCount(rehearsed.length);
  try {
    for (const [index, change] of rehearsed.entries()) {
      progress.show(
        () => `${formatCount(index)} of ${total} changes are checked.`,
      );
      const list = change.kind === "resource" ? "resources" : "clients";
      const named = new Set(desired[list]?.[change.name]?.scope?.split(" "));
      const record = desired.clients?.[change.name] ?? {};
      try {
        const done = await makeChange(session, change, {
          state,
          desired: record,
          noSecrets: false,
          rehearsedScopes: newScopes.filter((scope) => named.has(scope)),
        });
        warnings.push(
          ...done.warnings.map((text) => `${change.name}: ${text}`),
        );
      } catch (error) {
        if (!(error instanceof ApiError) || ![400, 409].includes(error.status))
          throw error;
        problems.push(...problemsOf(change, error));
      }
    }
  } finally {
    progress.end();
  }
  if (problems.length > 0) throw file.failure(problems);
  return warnings;
}

/** Finds resources and clients of the file with a scope that is deleted by the same command. */
function prunedScopeProblems(
  { resources = {}, clients = {} }: Desired,
  changes: readonly Change[],
): FileProblem[] {
  const pruned = changes
    .filter(({ action, kind }) => action === "delete" && kind === "scope")
    .map(({ name }) => name);
  const naming = [
    ...Object.entries(resources).map((entry) => ["resources", entry] as const),
    ...Object.entries(clients).map((entry) => ["clients", entry] as const),
  ];
  return naming.flatMap(([section, [id, { scope = "" }]]) =>
    scope
      .split(" ")
      .filter((name) => pruned.includes(name))
      .map((name) => ({
        path: [section, id, "scope"],
        message: `${name} is deleted by --prune`,
      })),
  );
}

/** Finds where in the file the fields are that the server names. */
function problemsOf(
  { action, kind, name }: Change,
  error: ApiError,
): FileProblem[] {
  const path = [`${kind}s`, name];
  const { data } = refusal.safeParse(error.body);
  const fields = Object.entries(data?.fields ?? {});
  if (kind === "client" && error.status === 409 && action === "create")
    return [
      {
        path,
        message: `${error.message} If it was deleted: npm run baton -- clients restore ${quoteArgument(name)}`,
      },
    ];
  if (fields.length === 0) return [{ path, message: error.message }];
  return fields.map(([field, message]) => ({
    path:
      kind === "scope" || ["client_id", "resource"].includes(field)
        ? path
        : [...path, ...field.split(".").map(indexOrName)],
    message,
  }));
}

function indexOrName(part: string): string | number {
  return /^\d+$/.test(part) ? Number(part) : part;
}
