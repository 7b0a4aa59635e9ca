import { z } from "zod";
import { authenticationMethods } from "./authentication-methods.ts";
import { durationProblem, lifetimeProblem } from "./duration.ts";
import { grantTypeNames } from "./grant-types.ts";
import { accessTokenFormats } from "./settings.ts";
import { parseScope, scopeToken } from "./scope.ts";

/**
 * What a client's record holds, field by field, in the names of RFC 7591 section 2 and a few of our
 * own. The admin API's schemas, the OpenAPI document and the check of every record read from KV are
 * all made of these.
 */

/** RFC 6749 appendix A.1 says *VSCHAR; a bound, and the two that no URL path can carry, are ours. */
const clientIdPattern = /^[\x20-\x7e]{1,255}$/;

export function isClientId(text: string): boolean {
  return clientIdPattern.test(text) && text !== "." && text !== "..";
}

function text(description: string, most: number) {
  return z.string().min(1).max(most).meta({ description });
}

/** A string with a rule whose violation is told in a sentence. */
function ruled(
  schema: z.ZodString,
  problem: (value: string) => string | undefined,
) {
  return schema.superRefine((value, context) => {
    const message = problem(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

function uriProblem(uri: string): string | undefined {
  if (!URL.canParse(uri)) return "has to be an absolute URI";
  if (uri.includes("#")) return "must not have a fragment";
  if (/[^\x21-\x7e]/.test(uri))
    return "must be of printable ASCII characters without spaces";
  return undefined;
}

/** RFC 6749 section 3.1.2, without the schemes that run as script in a browser. */
function redirectUriProblem(uri: string): string | undefined {
  return /^(javascript|data|vbscript|blob):/i.test(uri)
    ? "must not have a scheme that runs in the browser"
    : uriProblem(uri);
}

const uri = ruled(z.string().max(2048), uriProblem);

function lifetime(description: string, example: string) {
  return ruled(z.string(), lifetimeProblem).meta({ description, example });
}

export const clientId = z
  .string()
  .refine(
    isClientId,
    "has to be 1 to 255 printable ASCII characters, and neither . nor ..",
  )
  .meta({
    description: "The client identifier, RFC 6749 section 2.2.",
    example: "web",
  });

/** RFC 6749 appendix A.2 says *VSCHAR; the bounds are ours. */
export const clientSecret = z
  .string()
  .regex(
    /^[\x20-\x7e]{1,255}$/,
    "has to be 1 to 255 printable ASCII characters",
  );

export const scopeName = z
  .string()
  .max(255)
  .regex(scopeToken, "has to be a scope-token of RFC 6749 section 3.3")
  // The one name under which JSON and objects keep nothing.
  .refine((name) => name !== "__proto__", "cannot be __proto__")
  .meta({ description: "One scope, RFC 6749 section 3.3.", example: "read" });

const scopeList = ruled(z.string().max(8192), (value) =>
  value === "" || parseScope(value)
    ? undefined
    : "has to be scopes with one space between them",
).meta({
  description: "Scopes with one space between them; a set.",
  example: "read write",
});

export const resourceUri = uri.meta({
  description: "A resource server, by its URI (RFC 8707 section 2).",
  example: "https://api.example.com",
});

export const duration = ruled(z.string(), durationProblem);

/** The fields that describe a client and may be left out when it is made. */
export const clientMetadata = {
  client_name: text("A name for people to read.", 255),
  token_endpoint_auth_method: z.enum(authenticationMethods).meta({
    description:
      "How the client authenticates. Left out: a secret, by Basic or in the body. none: a public client.",
  }),
  grant_types: z.array(z.enum(grantTypeNames)).max(10).meta({
    description:
      "The grant types that the client may use. Left out: authorization_code and refresh_token. client_credentials is for clients with a secret.",
  }),
  scope: scopeList,
  redirect_uris: z
    .array(ruled(z.string().max(2048), redirectUriProblem))
    .max(100)
    .meta({
      description:
        "Where the authorization endpoint may send the browser back to, compared character by character. https://, an app's own scheme with a period in it, or http:// for 127.0.0.1, [::1] and localhost, whose port may then be any.",
    }),
  resources: z.array(resourceUri).max(100).meta({
    description: "The audiences that the client may ask for (RFC 8707).",
  }),
  resource_server: uri.meta({
    description: "Makes the client a resource server with this audience.",
  }),
  access_token_ttl: lifetime("Overrides ACCESS_TOKEN_TTL.", "PT10M"),
  refresh_token_ttl: lifetime("Overrides REFRESH_TOKEN_TTL.", "P14D"),
  refresh_token_max_age: lifetime("Overrides REFRESH_TOKEN_MAX_AGE.", "P6M"),
  refresh_token_retry_window: duration.meta({
    description: "Overrides REFRESH_TOKEN_RETRY_WINDOW.",
    example: "PT30S",
  }),
  access_token_format: z.enum(accessTokenFormats).meta({
    description:
      "Overrides ACCESS_TOKEN_FORMAT. league: for resource servers that were written for league/oauth2-server or Laravel Passport.",
  }),
};

/** Seconds since 1970. */
export const timestamp = z
  .int()
  .min(0)
  .meta({ description: "Seconds since 1970." });
