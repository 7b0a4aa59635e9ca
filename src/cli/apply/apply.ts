import type { Session } from "../commands/session.ts";
import { confirm } from "../confirm.ts";
import { addDetails, ApiError, Failure, UsageError } from "../failure.ts";
import { printable, say } from "../output.ts";
import { type Change, difference } from "./difference.ts";
import { type DesiredFile, readDesiredFile } from "./file.ts";
import { rehearse } from "./rehearse.ts";
import { changesText, consequences, doneText, verbs } from "./report.ts";
import { makeChange } from "./requests.ts";
import {
  findPruned,
  prunedClientId,
  readState,
  type ServerState,
} from "./server-state.ts";

export interface ApplyOptions {
  dryRun?: true;
  yes?: true;
  prune: string[];
  /** False: clients are created without a secret. */
  secrets: boolean;
}

/** A change, and whether it was made. */
interface Outcome extends Change {
  done: boolean;
  client_secret?: string;
}

/**
 * Makes a server as a file says: shows what differs, asks, and makes one change after the other. Each is made only
 * if its object is still as it was compared. A change that was made is not undone when a later one fails; the same
 * command does the rest.
 */
export async function apply(
  session: Session,
  path: string,
  options: ApplyOptions,
): Promise<void> {
  const dryRun = options.dryRun === true;
  if (session.isJson && !dryRun && options.yes !== true)
    throw new UsageError(
      "apply --json cannot ask, because nobody would see the changes. Add --yes, or look first with --dry-run.",
    );
  const file = await readDesiredFile(path);
  const state = await readState(
    session,
    [
      ...Object.keys(file.desired.clients ?? {}),
      ...options.prune.map(prunedClientId),
    ],
    file.desired.resources !== undefined || options.prune.length > 0,
  );
  const pruned = findPruned(options.prune, file.desired, state);
  const changes = difference(file.desired, state, pruned);
  const url = await session.serverUrl();
  const warnings = [
    ...pruned.unknown.map(
      (name) =>
        `--prune ${name}: there is no such client, scope or resource, so there is nothing to delete.`,
    ),
    ...(await rehearse(session, file, changes, state)),
    ...consequences(changes),
  ];
  const outcomes: Outcome[] = changes.map((change) => ({
    ...change,
    done: false,
  }));
  const report = () => {
    const told = warnings.length > 0 ? { warnings } : {};
    const document = { server: url, dry_run: dryRun, changes: outcomes };
    if (session.isJson) session.print({ ...document, ...told }, () => "");
  };

  if (!session.isJson && changes.length > 0) say(changesText(changes));
  session.warn(warnings);
  if (changes.length === 0) {
    if (!session.isJson)
      say(`There is nothing to do: ${url} is as ${path} says.`);
    return report();
  }
  if (dryRun) {
    if (!session.isJson)
      say(`\n${countText(changes)} on ${url}. --dry-run: nothing was changed.`);
    return report();
  }
  await confirm(`\n${countText(changes)} on ${url}.`, options);
  try {
    await makeAll(session, file, state, outcomes, options.secrets);
  } finally {
    // Also after a failure, because a secret is shown only once.
    report();
  }
}

function countText({ length }: readonly Change[]): string {
  return length === 1 ? "1 change" : `${length} changes`;
}

/**
 * Makes changes in their order, and notes each. Ctrl-C lets the change that is on its way finish, so that its
 * secret is shown.
 *
 * @throws Failure that says what was made before
 */
async function makeAll(
  session: Session,
  { desired }: DesiredFile,
  state: ServerState,
  outcomes: Outcome[],
  secrets: boolean,
): Promise<void> {
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  process.once("SIGINT", interrupt);
  let { catalogueTag, resourcesTag } = state;
  try {
    for (const outcome of outcomes) {
      if (interrupted)
        throw new Failure(`Stopped by Ctrl-C. ${progress(outcomes)} ${again}`);
      const done = await makeChange(session, outcome, {
        state: { ...state, catalogueTag, resourcesTag },
        desired: desired.clients?.[outcome.name] ?? {},
        noSecrets: !secrets,
      }).catch((error: unknown) => {
        throw stopped(error, outcome, outcomes);
      });
      catalogueTag = done.catalogueTag ?? catalogueTag;
      resourcesTag = done.resourcesTag ?? resourcesTag;
      outcome.done = true;
      if (done.client_secret !== undefined)
        outcome.client_secret = done.client_secret;
      if (!session.isJson) sayDone(outcome);
    }
  } finally {
    process.off("SIGINT", interrupt);
  }
  if (!session.isJson && outcomes.some(({ client_secret }) => client_secret))
    say(
      "\nStore each client_secret now. It cannot be shown again, because the server keeps only a hash of it.",
    );
}

function sayDone(outcome: Outcome): void {
  say(doneText(outcome));
  if (outcome.client_secret !== undefined)
    say(`  client_secret  ${printable(outcome.client_secret)}`);
}

/** Makes the failure of a change. */
function stopped(
  error: unknown,
  { action, kind, name }: Change,
  outcomes: readonly Outcome[],
): unknown {
  if (!(error instanceof Failure)) return error;
  const done = verbs[action].toLowerCase();
  const lostSecret =
    action === "create" && kind === "client"
      ? ` If it was, its secret was not shown: make a new one with npm run baton -- clients rotate-secret ${printable(name)}.`
      : "";
  const what = {
    scope: "The scope catalogue",
    resource: "The catalogue of resources",
    client: `The client ${printable(name)}`,
  }[kind];
  if (error instanceof ApiError && error.status === 412)
    return new Failure(
      `${what} was changed by somebody else since this command compared it, and is left as it is. ${progress(outcomes)} ${again}`,
    );
  const outcome =
    error instanceof ApiError
      ? `The ${kind} ${printable(name)} was not ${done}.`
      : `The ${kind} ${printable(name)} may have been ${done} or not.${lostSecret}`;
  return addDetails(error, `${outcome} ${progress(outcomes)}`, again);
}

const again = "Run the same command again: it compares anew and does the rest.";

function progress(outcomes: readonly Outcome[]): string {
  const made = outcomes.filter(({ done }) => done);
  const list = made
    .map(({ kind, name }) => `${kind} ${printable(name)}`)
    .join(", ");
  return made.length === 0
    ? "Nothing was changed."
    : `Before that, ${made.length} of ${outcomes.length} changes were made: ${list}.`;
}
