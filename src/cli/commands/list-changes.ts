import type { Command } from "commander";
import { ApiError, Failure, UsageError } from "../failure.ts";
import { printable } from "../output.ts";
import { type Client, client, warnings } from "./client-schema.ts";
import { collect } from "./client-options.ts";
import type { Session } from "./session.ts";

/** The most tries of a change that others are faster than. */
const MAX_TRIES = 5;

/** The fields of a client to whose values one can add, and from which one can remove. */
const listFields = [
  {
    flag: "redirect-uri",
    argument: "uri",
    field: "redirect_uris",
    noun: "a redirect URI",
  },
  {
    flag: "post-logout-redirect-uri",
    argument: "uri",
    field: "post_logout_redirect_uris",
    noun: "a post-logout redirect URI",
  },
  { flag: "scope", argument: "scopes", field: "scope", noun: "scopes" },
  {
    flag: "resource",
    argument: "uri",
    field: "resources",
    noun: "a resource",
  },
  {
    flag: "grant-type",
    argument: "type",
    field: "grant_types",
    noun: "a grant type",
  },
] as const;

type Field = (typeof listFields)[number]["field"];

/** A change of a list: what to add to it and what to remove from it. */
export interface ListChange {
  field: Field;
  flag: string;
  add: string[];
  remove: string[];
}

/** Adds `--add-…` and `--remove-…` for each list of a client. */
export function addListOptions(command: Command): Command {
  for (const { flag, argument, noun } of listFields) {
    command
      .option(
        `--add-${flag} <${argument}>`,
        `add ${noun}, and keep the others; can be repeated`,
        collect,
      )
      .option(
        `--remove-${flag} <${argument}>`,
        `remove ${noun}, and keep the others; can be repeated`,
        collect,
      );
  }
  return command;
}

/**
 * Reads the options of `addListOptions`.
 *
 * @param options the options of the command, as commander names them
 * @param patch the fields that are replaced or removed as a whole
 * @throws UsageError for a field that is also replaced, and for a value that is both added and removed
 */
export function listChanges(
  options: Record<string, unknown>,
  patch: Record<string, unknown>,
): ListChange[] {
  return listFields.flatMap(({ flag, field }) => {
    const values = (verb: "add" | "remove") => {
      const given = (options[camelCase(`${verb}-${flag}`)] ?? []) as string[];
      return field === "scope" ? given.flatMap(scopesOf) : given;
    };
    const change = {
      field,
      flag,
      add: values("add"),
      remove: values("remove"),
    };
    if (change.add.length === 0 && change.remove.length === 0) return [];
    if (Object.hasOwn(patch, field))
      throw new UsageError(
        `${field} cannot be both replaced and changed. Use --${flag} or --unset for the whole list, or --add-${flag} and --remove-${flag} for some of its values.`,
      );
    const both = change.add.find((value) => change.remove.includes(value));
    if (both !== undefined)
      throw new UsageError(
        `${both} cannot be both added and removed. Leave out one of the two options.`,
      );
    return [change];
  });
}

/**
 * Changes a client's lists, and other fields at the same time. What somebody else changes meanwhile is kept: the
 * server refuses a change of a client that is not as it was read, and it is made again.
 *
 * @throws Failure if a value to remove is not there
 */
export async function changeLists(
  session: Session,
  id: string,
  changes: ListChange[],
  patch: Record<string, unknown>,
) {
  const path = ["clients", id];
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const read = await session.requestTagged({
      method: "GET",
      path,
      schema: client,
    });
    if (read.etag === undefined)
      throw new Failure(
        "The server is an older version of Baton, whose answers have no ETag, so --add-… and --remove-… could overwrite what somebody else changes. Replace the whole list.",
      );
    const lists = changes.map((change) => [
      change.field,
      changed(read.body, change),
    ]);
    try {
      return await session.request({
        method: "PATCH",
        path,
        ifMatch: read.etag,
        body: { ...patch, ...Object.fromEntries(lists) },
        schema: client.extend({ warnings }),
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 412) throw error;
    }
  }
  throw new Failure(
    `The client ${printable(id)} was not changed, because others changed it ${MAX_TRIES} times in this moment. Try again.`,
  );
}

/** Makes the new value of a list. */
function changed(
  { client_id, ...record }: Client,
  { field, flag, add, remove }: ListChange,
): string | string[] {
  const before =
    field === "scope" ? scopesOf(record.scope) : (record[field] ?? []);
  const missing = remove.find((value) => !before.includes(value));
  if (missing !== undefined)
    throw new Failure(
      `--remove-${flag}: ${printable(client_id)} does not have ${printable(missing)}, so nothing was changed. It has: ${before.map(printable).join(" ") || "none"}.`,
    );
  const kept = before.filter((value) => !remove.includes(value));
  const after = [...new Set([...kept, ...add])];
  return field === "scope" ? after.join(" ") : after;
}

function scopesOf(list: string): string[] {
  return list.split(" ").filter((scope) => scope !== "");
}

/** The name of an option as commander has it. */
function camelCase(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
