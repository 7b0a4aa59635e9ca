import * as base64url from "jose/base64url";

/**
 * The catalogue of events: what an operator may count or be called for, beside the one line per request. Nothing else
 * writes an event, so each name and each field stands here. The types below are derived from it, and
 * docs/log.md has the same table, which a test compares.
 */

/** The types of the fields of an event. */
interface FieldTypes {
  text: string;
  number: number;
  boolean: boolean;
  changes: readonly FieldChange[];
}

/** The change of one field: from and to, or what was added to a list and removed from it. */
export interface FieldChange {
  field: string;
  from?: string | number | boolean;
  to?: string | number | boolean;
  added?: readonly string[];
  removed?: readonly string[];
}

interface Description {
  /** For operators. */
  meaning: string;
  /** `log`: the event is not sent, because it is of an isolate and not of a request. Left out: it is sent, too. */
  goesTo?: "log";
  /** Somebody without a credential can cause the event, any number of times. */
  isOfStrangers?: true;
  /** One fault of a part that is not ours, or the holder of one login, can cause the event any number of times. */
  cause?: "fault" | "holder";
  /** The fields of its own, with their types. One that ends with a question mark may be left out. */
  fields: Record<string, keyof FieldTypes | `${keyof FieldTypes}?`>;
}

export const eventCatalogue = {
  "client_authentication.failed": {
    meaning: "A client did not authenticate: 401.",
    isOfStrangers: true,
    fields: { reason: "text" },
  },
  "refresh_token.reused": {
    meaning: "A used refresh token came back, and its login has ended.",
    fields: {
      generation: "number",
      newest_generation: "number",
      seconds_since_exchange: "number",
      looks_like: "text",
    },
  },
  "refresh_token.retried": {
    meaning: "A used refresh token came back inside its window.",
    fields: {
      generation: "number",
      seconds_since_exchange: "number",
      network_differs: "boolean",
      user_agent_differs: "boolean",
    },
  },
  "refresh_token.caught_up": {
    meaning:
      "A used refresh token came with a good proof, and its holder got the current one.",
    cause: "holder",
    fields: {
      generation: "number",
      newest_generation: "number",
      seconds_since_exchange: "number",
      network_differs: "boolean",
      user_agent_differs: "boolean",
    },
  },
  "refresh_token.stolen": {
    meaning:
      "A refresh token that is bound to a key came without a proof of it. The login goes on.",
    isOfStrangers: true,
    fields: {
      reason: "text",
      generation: "number?",
      newest_generation: "number?",
    },
  },
  "authorization_code.reused": {
    meaning: "A code came back late, and the login that it made has ended.",
    fields: {},
  },
  "family.revoked": {
    meaning: "A login was ended by its client or by an administrator.",
    fields: { by: "text" },
  },
  "grant.changed": {
    meaning: "The claims of a login were changed. The event has no values.",
    fields: { changes: "changes" },
  },
  "subject.logged_out": {
    meaning: "An administrator ended all logins of a user.",
    fields: { revoked: "number?", complete: "boolean" },
  },
  "client.changed": {
    meaning: "An administrator changed a client.",
    fields: { action: "text", changes: "changes" },
  },
  "client.registered": {
    meaning: "A client registered itself, or changed or deleted itself.",
    isOfStrangers: true,
    fields: { action: "text", changes: "changes" },
  },
  "scope.changed": {
    meaning: "An administrator changed the scope catalogue.",
    fields: { action: "text", scope: "text", changes: "changes" },
  },
  "resource.changed": {
    meaning: "An administrator changed the catalogue of resources.",
    fields: { action: "text", resource: "text", changes: "changes" },
  },
  "admin.denied": {
    meaning: "A request for the admin API was refused: 401 or 403.",
    isOfStrangers: true,
    fields: { reason: "text", endpoint: "text", role: "text?" },
  },
  "admin.token_changed": {
    meaning: "An administrator made or ended a named admin token.",
    fields: { action: "text", name: "text", role: "text?" },
  },
  "key.activated": {
    meaning: "A key whose time has come makes or signs from now on.",
    goesTo: "log",
    fields: { secret: "text", kid: "text", from: "number" },
  },
  "limit.reached": {
    meaning:
      "A network made too many wrong guesses: 429 until the minute ends.",
    isOfStrangers: true,
    fields: { limit: "text", retry_after: "number" },
  },
  "league_token.exchanged": {
    meaning: "An old server's token was exchanged.",
    fields: { refresh_token_id: "text" },
  },
  "league_tokens.revoked": {
    meaning: "An administrator revoked an old server's tokens.",
    fields: { in_force: "number", ended: "number" },
  },
  "login.denied_by_hook": {
    meaning: "The refresh hook said no, and the login has ended.",
    fields: {},
  },
  "refresh_hook.failed": {
    meaning: "The refresh hook made no decision, or one that came too late.",
    cause: "fault",
    fields: { reason: "text", error: "text" },
  },
  "event_delivery.failed": {
    meaning: "An event did not reach the queue or the webhook.",
    goesTo: "log",
    fields: {
      to: "text",
      error: "text",
      failed_event: "text?",
      event_id: "text?",
    },
  },
  "access_keys.unreachable": {
    meaning: "The keys of Cloudflare Access could not be fetched.",
    goesTo: "log",
    fields: { error: "text" },
  },
  "backchannel_logout.sent": {
    meaning: "A client was told that a login has ended.",
    goesTo: "log",
    fields: { client_id: "text", grant_id: "text", attempts: "number" },
  },
  "backchannel_logout.failed": {
    meaning: "A client could not be told that a login has ended.",
    goesTo: "log",
    fields: {
      client_id: "text",
      grant_id: "text",
      attempts: "number",
      error: "text",
      retry_after: "number?",
    },
  },
  "subject_index.unreachable": {
    meaning: "A login has ended, and is still in its user's index.",
    goesTo: "log",
    fields: { error: "text" },
  },
  "registration.not_kept": {
    meaning: "The record of a client that registered itself was not written.",
    goesTo: "log",
    fields: { client_id: "text", error: "text" },
  },
  "metadata_document.refused": {
    meaning: "The metadata document of a client could not be read.",
    goesTo: "log",
    fields: { client_id: "text", reason: "text", problem: "text" },
  },
  "client_keys.refused": {
    meaning: "The keys of a client could not be read from its jwks_uri.",
    goesTo: "log",
    fields: { jwks_uri: "text", reason: "text", problem: "text" },
  },
  "guess_limit.unreachable": {
    meaning: "A rate limit of wrangler.toml did not answer.",
    goesTo: "log",
    fields: { error: "text" },
  },
} as const satisfies Record<string, Description>;

type Catalogue = typeof eventCatalogue;

export type EventName = keyof Catalogue;

/** The events of no request. They are written to the log alone. */
type LogEventName = {
  [N in EventName]: Catalogue[N] extends { goesTo: "log" } ? N : never;
}[EventName];

/** The events of a request, which are also sent. */
export type RequestEventName = Exclude<EventName, LogEventName>;

type TypeOf<T> = T extends `${infer Base}?`
  ? TypeOf<Base>
  : T extends keyof FieldTypes
    ? FieldTypes[T]
    : never;

type Typed<F> = {
  -readonly [N in keyof F as F[N] extends `${string}?` ? never : N]: TypeOf<
    F[N]
  >;
} & {
  -readonly [N in keyof F as F[N] extends `${string}?` ? N : never]?:
    TypeOf<F[N]> | undefined;
};

/** The fields of an event of its own. */
export type EventFields<N extends EventName> = Typed<Catalogue[N]["fields"]>;

/** Whom an event is about, as far as it is known. */
export interface Concerned {
  /** The id of a client that exists. Left out: that of the request. */
  client_id?: string | undefined;
  subject?: string | undefined;
  grant_id?: string | undefined;
}

/** An event as it is written and sent. JSON leaves out what is undefined. */
export interface AuditEvent extends Concerned {
  event: EventName;
  /** Unique. A receiver that gets an event twice knows it by this. */
  event_id: string;
  /** Seconds since 1970. */
  time: number;
  request_id: string;
  /** The administrator that made the request. Left out: a client or nobody known made it. */
  actor?: string | undefined;
  /** Keyed hashes (`keyedHash`): equal for equal networks and user agents. */
  network?: string | undefined;
  user_agent?: string | undefined;
  /** The number of events like this one that were held back before it (`event-throttle.ts`). */
  repeated?: number;
  [field: string]: unknown;
}

/** Tells whether somebody without a credential has caused an event. */
export function isOfStrangers({ event, actor }: AuditEvent): boolean {
  const description: Description = eventCatalogue[event];
  return description.isOfStrangers === true && actor === undefined;
}

/** Returns what may have caused many events like this one. Undefined: nothing, or strangers. */
export function causeOf({ event }: AuditEvent): Description["cause"] {
  const description: Description = eventCatalogue[event];
  return description.cause;
}

/** Where the events of a request come from. */
export interface EventOrigin {
  request_id: string;
  /** The network (`networkOf`). Empty: unknown. */
  network: string;
  /** Empty: unknown. */
  user_agent: string;
  /** The key for the hashes. Undefined: the configuration cannot be read, and the hashes are left out. */
  key: CryptoKey | undefined;
}

/** The part of an HMAC that an event has, in bytes: enough that no two networks of a deployment are equal. */
const HASH_BYTES = 9;

/**
 * Hashes a value, so that two events can be compared and the value is not kept.
 *
 * @param kind separates the values, so that a network and a user agent are never equal
 * @returns 12 characters of base64url; undefined for an empty value
 */
export async function keyedHash(
  key: CryptoKey | undefined,
  kind: "network" | "user_agent",
  value: string,
): Promise<string | undefined> {
  if (!key || value === "") return undefined;
  const bytes = new TextEncoder().encode(`${kind}\n${value}`);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
  return base64url.encode(mac.subarray(0, HASH_BYTES));
}

/** Writes an event of no request to the log: as an error if it has one. */
export function logEvent<N extends LogEventName>(
  event: N,
  fields: EventFields<N>,
): void {
  const time = Math.floor(Date.now() / 1000);
  const line = JSON.stringify({ event, time, ...fields });
  if ("error" in fields) console.error(line);
  else console.log(line);
}
