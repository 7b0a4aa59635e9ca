import {
  type AuthenticationMethod,
  isBySecret,
} from "../../oauth/authentication-methods.ts";
import { keyText } from "../key-text.ts";
import { printable } from "../output.ts";
import type { Change, FieldChange, Value } from "./difference.ts";

const signs = { create: "+", change: "~", delete: "-" } as const;

/** Shows changes to people: a line for each object, and below it a line for each field, from what to what. */
export function changesText(changes: readonly Change[]): string {
  return changes
    .flatMap(({ action, kind, name, fields }) => [
      `${signs[action]} ${kind} ${printable(name)}`,
      ...fields.flatMap(fieldLines).map((line) => `    ${line}`),
    ])
    .join("\n");
}

function fieldLines({ field, from, to }: FieldChange): string[] {
  if (isList(from) || isList(to)) {
    const before = listOf(from);
    const after = listOf(to);
    return [
      `${field}:`,
      ...before
        .filter((value) => !after.includes(value))
        .map((value) => `  - ${text(value)}`),
      ...after
        .filter((value) => !before.includes(value))
        .map((value) => `  + ${text(value)}`),
    ];
  }
  return from === undefined
    ? [`${field}: ${text(to)}`]
    : [`${field}: ${text(from)} -> ${text(to)}`];
}

function isList(value: Value): boolean {
  return typeof value === "object";
}

/** Keys are a list too. */
function listOf(value: Value): string[] {
  if (typeof value !== "object") return [];
  return Array.isArray(value) ? value : value.keys.map(keyText);
}

function text(value: Value): string {
  return value === undefined ? "not set" : printable(JSON.stringify(value));
}

/** Says what a change does that one does not see in its fields. */
export function consequences(changes: readonly Change[]): string[] {
  return changes.flatMap(({ action, kind, name, fields }) => {
    if (action === "delete")
      return {
        client: `${name}: its users are logged out. For 30 days it can be restored: npm run baton -- clients restore ${name}`,
        resource: `${name}: clients that registered themselves lose this resource, and so do their logins.`,
        scope: `${name}: clients and grants that have this scope lose it.`,
      }[kind];
    const opened = fields.find(
      ({ field, to }) => field === "self_registered_clients" && to === true,
    );
    if (kind === "resource" && opened)
      return `${name}: every client that registers itself may ask for it.`;
    const method = fields.find(
      ({ field }) => field === "token_endpoint_auth_method",
    );
    if (action === "create" || kind !== "client" || !method) return [];
    const [had, has] = [method.from, method.to].map((value) =>
      isBySecret(value as AuthenticationMethod | undefined),
    );
    if (method.to === "none")
      return `${name}: it becomes public, so it loses its secrets, and all its logins end.`;
    if (had && !has)
      return `${name}: it authenticates with a key, so it loses its secrets. Its logins go on.`;
    if (!had && has)
      return `${name}: it authenticates with a secret and has none. Make one: npm run baton -- clients rotate-secret ${name}`;
    return [];
  });
}

/** What was done, as the first word of a sentence. */
export const verbs = {
  create: "Created",
  change: "Changed",
  delete: "Deleted",
} as const;

/** Says that a change was made. */
export function doneText({ action, kind, name }: Change): string {
  return `${verbs[action]} the ${kind} ${printable(name)}.`;
}
