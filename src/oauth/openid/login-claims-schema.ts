import * as v from "valibot";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { fieldError } from "../errors.ts";
import {
  type Claims,
  type ClaimsField,
  isRegisteredClaim,
  largestLoginClaim,
  type LoginClaimChanges,
  MAX_LOGIN_CLAIMS_BYTES,
  sizeOfLoginClaims,
} from "../login-claims.ts";
import { standardScopes } from "./scopes.ts";
import {
  isPlainObject,
  MAX_DEPTH,
  MAX_NAME_CHARACTERS,
  nameProblem,
  plainJsonProblem,
} from "./plain-json.ts";
import { maxCharacters, pathTo, rule } from "../schema.ts";

/**
 * The fields of `LoginClaims` in the bodies of the admin API and the calls by RPC. No message has a value of a claim,
 * because it may be about a person.
 */

const MAX_TEXT_CHARACTERS = 255;
const MAX_METHODS = 20;
/** More values do not fit into the bytes of all fields, because each has a character and a comma or a bracket. */
const MAX_VALUES = MAX_LOGIN_CLAIMS_BYTES / 2;

/** The bounds that the three objects of claims share, for the OpenAPI document. */
const bounds = `Plain JSON: names of at most ${MAX_NAME_CHARACTERS} characters, at most ${MAX_DEPTH} objects and arrays inside one another. A claim that is null is left out. Standard names (OpenID Connect Core section 5.1) have their types. The login's fields have at most ${MAX_LOGIN_CLAIMS_BYTES} bytes together.`;

function text(max: number) {
  return v.pipe(
    v.string(),
    v.minLength(1),
    maxCharacters(max),
    rule((value: string) =>
      value.isWellFormed() && !/\p{Cc}/u.test(value)
        ? undefined
        : "must be text without control characters",
    ),
  );
}

/** Finds a time in milliseconds, such as of `Date.now()`: as seconds it is after the year 5000. */
function secondsProblem(time: number): string | undefined {
  return time >= 100_000_000_000
    ? "must be in seconds since 1970, and looks like milliseconds"
    : undefined;
}

const claimsFields = {
  auth_time: v.pipe(
    v.number(),
    v.safeInteger(),
    v.minValue(0),
    rule(secondsProblem),
    v.metadata({
      description:
        "When the user signed in, in seconds since 1970: auth_time of the access token and the ID token.",
      example: 1_767_225_600,
    }),
  ),
  acr: v.pipe(
    text(MAX_TEXT_CHARACTERS),
    v.metadata({
      description:
        "The authentication context class: acr of the access token and the ID token.",
      example: "urn:example:two-factor",
    }),
  ),
  amr: v.pipe(
    v.array(text(MAX_NAME_CHARACTERS)),
    v.maxLength(MAX_METHODS),
    v.metadata({
      description:
        "The authentication methods (RFC 8176): amr of the access token and the ID token.",
      example: ["pwd", "otp"],
    }),
  ),
  sid: v.pipe(
    text(MAX_TEXT_CHARACTERS),
    v.metadata({
      description:
        "The id of the user's session at the login: sid of the ID token. Grants of one subject with the same sid are signed out together. Never a secret, such as a cookie.",
      example: "b2f7c0d4",
    }),
  ),
  claims: claims(
    "claims",
    `For the access token. They need no scope. The names of Baton's own claims, such as sub or scope, are refused. ${bounds}`,
    { roles: ["editor"], tenant: "acme" },
  ),
  id_token_claims: claims(
    "id_token_claims",
    `About the user, for the ID token and the UserInfo endpoint, as far as the granted scopes release them. ${bounds}`,
    { email: "alice@example.com", email_verified: true },
  ),
  userinfo: claims(
    "userinfo",
    `About the user, for the UserInfo endpoint alone, as far as the granted scopes release them. It goes before a claim of the same name in id_token_claims. ${bounds}`,
    { picture: "https://example.com/alice.png" },
  ),
};

/** The fields of a body that starts a login. */
export const loginClaims = v.partial(v.object(claimsFields)).entries;

/** Makes the schema of a field that null removes, for a body that changes a login. */
function removable<const S extends v.GenericSchema>(schema: S) {
  const { description = "" } = v.getMetadata(schema) as {
    description?: string;
  };
  return v.optional(
    v.pipe(
      v.nullable(schema),
      v.description(`${description} null removes it.`),
    ),
  );
}

/** The fields of a body that changes a login: null removes one. */
export const loginClaimChanges = {
  auth_time: removable(claimsFields.auth_time),
  acr: removable(claimsFields.acr),
  amr: removable(claimsFields.amr),
  sid: removable(claimsFields.sid),
  claims: removable(claimsFields.claims),
  id_token_claims: removable(claimsFields.id_token_claims),
  userinfo: removable(claimsFields.userinfo),
};

/** Makes the rule of a body with the fields: together they have at most 2048 bytes. */
export function boundLoginClaims<T extends LoginClaimChanges>() {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const problem = sizeProblem(sizeOfLoginClaims(dataset.value));
    if (problem === undefined) return;
    addIssue({
      message: problem,
      path: pathTo(largestLoginClaim(dataset.value)),
    });
  });
}

/** Describes fields that are too large together. Undefined: they are not. */
export function sizeProblem(bytes: number): string | undefined {
  const over = bytes - MAX_LOGIN_CLAIMS_BYTES;
  return over > 0
    ? `the login's fields have ${over} byte${over === 1 ? "" : "s"} too many: together they have at most ${MAX_LOGIN_CLAIMS_BYTES} bytes as JSON`
    : undefined;
}

/**
 * Refuses a sign-in that has not happened yet.
 *
 * @throws OAuthError `admin_body_invalid`
 */
export function refuseFutureSignIn(
  { auth_time }: LoginClaimChanges,
  now: Seconds,
): void {
  if (typeof auth_time === "number" && auth_time > now + CLOCK_SKEW_SECONDS)
    throw fieldError("auth_time", "is in the future");
}

function claims(field: ClaimsField, description: string, example: Claims) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, Claims>(({ dataset, addIssue, NEVER }) => {
      if (!isPlainObject(dataset.value)) {
        addIssue({ message: "must be an object with a value for each claim" });
        return NEVER;
      }
      const values = { left: MAX_VALUES };
      const kept = Object.entries(dataset.value).filter(([name, value]) => {
        // Core section 5.3.2: a claim without a value is left out.
        if (value === null || value === undefined) return false;
        const problem = nameProblem(name);
        // The name itself may be long or not printable, so the problem is that of the field.
        if (problem !== undefined) addIssue({ message: problem });
        if (problem !== undefined) return false;
        const message =
          registeredProblem(field, name) ??
          plainJsonProblem(value, { depth: MAX_DEPTH - 1, values }) ??
          standardTypeProblem(name, value);
        if (message !== undefined) addIssue({ message, path: pathTo(name) });
        return message === undefined;
      });
      // The copy has nothing that JSON does not keep, such as a property that is undefined.
      return JSON.parse(JSON.stringify(Object.fromEntries(kept))) as Claims;
    }),
    v.metadata({
      type: "object",
      additionalProperties: true,
      description,
      example,
    }),
  );
}

function registeredProblem(
  field: ClaimsField,
  name: string,
): string | undefined {
  return isRegisteredClaim(field, name)
    ? "is a claim that Baton sets itself: choose another name"
    : undefined;
}

const standardClaims: readonly string[] = Object.values(standardScopes).flat();

/** Checks the type of a standard claim (OpenID Connect Core section 5.1), in any language (section 5.2). */
function standardTypeProblem(name: string, value: unknown): string | undefined {
  const [claim = ""] = name.split("#", 1);
  switch (claim) {
    case "email_verified":
    case "phone_number_verified":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "updated_at":
      return typeof value === "number"
        ? secondsProblem(value)
        : "must be a number: seconds since 1970";
    case "address":
      return isPlainObject(value) &&
        Object.values(value).every((part) => part === undefined || isText(part))
        ? undefined
        : "must be an object of strings, such as street_address and country";
    default:
      return isText(value) || !standardClaims.includes(claim)
        ? undefined
        : "must be a string";
  }
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}
