import * as v from "valibot";
import { authenticationMethods } from "./authentication-methods.ts";
import { clientKeys } from "./client-keys.ts";
import { normalizedName } from "./distinguished-name.ts";
import {
  durationProblem,
  lifetimeProblem,
  MAX_RETRY_WINDOW,
  retryWindowProblem,
} from "./duration.ts";
import { grantTypeNames } from "./grant-types.ts";
import { comparableAddress } from "./ip-address.ts";
import { accessTokenFormats } from "./settings.ts";
import { maxCharacters, rule } from "./schema.ts";
import { parseScope, scopeSet, scopeToken } from "./scope.ts";

/**
 * The fields of a client's record, with the names of RFC 7591 section 2 and some of Baton's own. The schemas
 * of the admin API, the OpenAPI document and the check of every record from KV are made of them.
 */

/** RFC 6749 appendix A.1 (*VSCHAR), with a bound of Baton's. */
const clientIdPattern = /^[\x20-\x7e]{1,255}$/;

/** Tells whether a text can be a client id. A URL path cannot carry "." and "..". */
export function isClientId(text: string): boolean {
  return clientIdPattern.test(text) && text !== "." && text !== "..";
}

function text(description: string, maxLength: number) {
  return v.pipe(
    v.string(),
    v.minLength(1),
    maxCharacters(maxLength),
    v.description(description),
  );
}

/** A name in a client certificate (RFC 5280 section 4.2.1.6). One that no certificate can have is refused. */
function alternativeName(
  kind: string,
  example: string,
  maxLength: number,
  isPossible: (name: string) => boolean,
) {
  return v.pipe(
    text(
      `For tls_client_auth: ${kind} among the alternative names of the client certificate.`,
      maxLength,
    ),
    v.check(
      isPossible,
      `must be ${kind} as a certificate has it, such as ${example}`,
    ),
  );
}

function uriProblem(uri: string): string | undefined {
  if (!URL.canParse(uri)) return "must be an absolute URI";
  if (uri.includes("#")) return "must not have a fragment";
  if (/[^\x21-\x7e]/.test(uri)) return "must be printable ASCII without spaces";
  return undefined;
}

/** Checks a redirect URI (RFC 6749 section 3.1.2). Schemes that a browser runs as script are not allowed. */
function redirectUriProblem(uri: string): string | undefined {
  return /^(javascript|data|vbscript|blob):/i.test(uri)
    ? "must not have a scheme that a browser runs as script"
    : uriProblem(uri);
}

const uri = v.pipe(v.string(), maxCharacters(2048), rule(uriProblem));

function lifetime(description: string, example: string) {
  return v.pipe(
    v.string(),
    rule(lifetimeProblem),
    v.metadata({ description, example }),
  );
}

export const clientId = v.pipe(
  v.string(),
  v.check(
    isClientId,
    "must be 1 to 255 printable ASCII characters, and not . or ..",
  ),
  v.metadata({
    description: "The client identifier (RFC 6749 section 2.2).",
    example: "web",
  }),
);

/** RFC 6749 appendix A.2 (*VSCHAR), with bounds of Baton's. */
export const clientSecret = v.pipe(
  v.string(),
  v.regex(
    /^[\x20-\x7e]{1,255}$/,
    "must be 1 to 255 printable ASCII characters",
  ),
);

export const scopeName = v.pipe(
  v.string(),
  maxCharacters(255),
  v.regex(
    scopeToken,
    "must be a scope-token of RFC 6749 section 3.3: printable ASCII without spaces, quotation marks and backslashes",
  ),
  // An assignment to this name sets the prototype of an object and stores nothing.
  v.check((name) => name !== "__proto__", "must not be __proto__"),
  v.metadata({
    description: "One scope (RFC 6749 section 3.3).",
    example: "read",
  }),
);

function scopeListProblem(list: string): string | undefined {
  if (list === "" || parseScope(list)) return undefined;
  return scopeSet(list).length === 0
    ? "has spaces and names no scope: for a client without scopes, leave it out or send an empty text"
    : "must be scopes with spaces between them, without other white space, quotation marks and backslashes";
}

export const scopeList = v.pipe(
  v.string(),
  maxCharacters(8192),
  rule(scopeListProblem),
  v.metadata({
    description:
      "Scopes with spaces between them. Order and repeats have no meaning.",
    example: "read write",
  }),
);

export const resourceUri = v.pipe(
  uri,
  v.metadata({
    description: "The URI of a resource server (RFC 8707 section 2).",
    example: "https://api.example.com",
  }),
);

export const duration = v.pipe(v.string(), rule(durationProblem));

/** The fields that describe a client. All may be left out when a client is created. */
export const clientMetadata = {
  client_name: text("A name for people.", 255),
  token_endpoint_auth_method: v.pipe(
    v.picklist(authenticationMethods),
    v.description(
      "The method by which the client authenticates. Left out: a secret, by HTTP Basic or in the body. private_key_jwt: an assertion, signed with a key of jwks or jwks_uri. tls_client_auth and self_signed_tls_client_auth: a client certificate, where CLIENT_CERTIFICATES is on. none: a public client.",
    ),
  ),
  grant_types: v.pipe(
    v.array(v.picklist(grantTypeNames)),
    v.maxLength(10),
    v.description(
      "The grant types that the client may use. Left out: authorization_code and refresh_token. client_credentials is only for confidential clients.",
    ),
  ),
  scope: scopeList,
  redirect_uris: v.pipe(
    v.array(v.pipe(v.string(), maxCharacters(2048), rule(redirectUriProblem))),
    v.maxLength(100),
    v.description(
      "The URIs to which the authorization endpoint may redirect the browser, compared character by character. Each begins with https://, with an app's own scheme, or with http:// for 127.0.0.1, [::1] or localhost. The port of these three hosts may differ, and no path is the same as / there. A scheme without a period (myapp://callback) gets a warning (RFC 8252 section 8.4).",
    ),
  ),
  post_logout_redirect_uris: v.pipe(
    v.array(v.pipe(v.string(), maxCharacters(2048), rule(redirectUriProblem))),
    v.maxLength(100),
    v.description(
      "The URIs to which the end session endpoint may redirect the browser after a sign-out (OpenID Connect RP-Initiated Logout section 3.1). They are compared and restricted as redirect_uris.",
    ),
  ),
  backchannel_logout_uri: v.pipe(
    uri,
    v.description(
      "The https URL to which the server posts a signed logout token when a login with the scope openid ends (OpenID Connect Back-Channel Logout section 2.2). It must not lead to a private address. A local server may post to http:// at a loopback address.",
    ),
  ),
  backchannel_logout_session_required: v.pipe(
    v.boolean(),
    v.description(
      "true: the client needs sid in its logout tokens. They have it anyway.",
    ),
  ),
  resources: v.pipe(
    v.array(resourceUri),
    v.maxLength(100),
    v.description(
      "The audiences that the client may ask for as resource (RFC 8707), spelled as in its access tokens. If there is only one, it is also the audience of tokens for which none is named.",
    ),
  ),
  resource_server: v.pipe(
    uri,
    v.description("Makes the client a resource server with this audience."),
  ),
  require_pkce: v.pipe(
    v.boolean(),
    v.description(
      "false: a confidential client may sign users in without PKCE. Only for clients that cannot send a code_challenge, because without it a stolen code can be injected into another session (RFC 9700 section 4.5). Left out: true. A public client always needs PKCE.",
    ),
  ),
  refresh_without_offline_access: v.pipe(
    v.boolean(),
    v.description(
      "true: a login of the client has a refresh token without the scope offline_access. It matters only where OFFLINE_ACCESS_REQUIRED is on. Left out: false.",
    ),
  ),
  access_token_ttl: lifetime("Overrides ACCESS_TOKEN_TTL.", "PT10M"),
  refresh_token_ttl: lifetime("Overrides REFRESH_TOKEN_TTL.", "P14D"),
  refresh_token_max_age: lifetime("Overrides REFRESH_TOKEN_MAX_AGE.", "P6M"),
  refresh_token_retry_window: v.pipe(
    v.string(),
    rule(retryWindowProblem),
    v.metadata({
      description: `Overrides REFRESH_TOKEN_RETRY_WINDOW. At most ${MAX_RETRY_WINDOW}.`,
      example: "PT30S",
    }),
  ),
  refresh_token_catch_up: v.pipe(
    v.string(),
    rule(durationProblem),
    v.metadata({
      description:
        "How long after the newest exchange a used refresh token leads its holder to the current one. The holder must prove the key that the login is bound to, or authenticate. PT0S: never. At most refresh_token_ttl. Left out: refresh_token_ttl for a login that is bound to a key and for a client that authenticates with one; else never.",
      example: "P7D",
    }),
  ),
  jwks: clientKeys,
  jwks_uri: v.pipe(
    uri,
    v.description(
      "The https URL of the client's public keys, which may change there. It must not lead to a private address. A local server may read http:// at a loopback address. Not together with jwks.",
    ),
  ),
  single_use_client_assertions: v.pipe(
    v.boolean(),
    v.description(
      "true: each assertion is good for one request (RFC 7523 section 3, jti), so that somebody who has recorded requests gets nothing with them once they have arrived. Only for private_key_jwt. Each request costs one call more. Left out: a code and an unused refresh token, which are for single use themselves, use no assertion up.",
    ),
  ),
  dpop_bound_access_tokens: v.pipe(
    v.boolean(),
    v.description(
      "true: every request for a token needs a DPoP proof (RFC 9449 section 5.2). Left out: a request that has one gets tokens that are bound to its key.",
    ),
  ),
  tls_client_certificate_bound_access_tokens: v.pipe(
    v.boolean(),
    v.description(
      "true: every request for a token needs a client certificate, and its tokens are bound to it (RFC 8705 section 3.4).",
    ),
  ),
  tls_client_auth_subject_dn: v.pipe(
    text(
      "For tls_client_auth: the subject of the client certificate, in the form of RFC 4514. Exactly one of the five tls_client_auth_… fields must be there (RFC 8705 section 2.1.2).",
      1024,
    ),
    v.check(
      // OpenSSL prints `subject=` before a name, and quotation marks in forms that are not RFC 4514.
      (name) =>
        !/^ *subject *=|= *"/i.test(name) && normalizedName(name) !== undefined,
      "must be a distinguished name such as CN=billing,O=Acme (RFC 4514)",
    ),
  ),
  tls_client_auth_san_dns: alternativeName(
    "a DNS name",
    "app.example.com",
    255,
    (name) => /^[\w*-]+(\.[\w*-]+)*$/.test(name),
  ),
  tls_client_auth_san_uri: alternativeName(
    "a URI",
    "urn:example:app",
    2048,
    (name) => URL.canParse(name) && /^[!-~]+$/.test(name),
  ),
  tls_client_auth_san_ip: alternativeName(
    "an IP address",
    "192.0.2.7",
    45,
    (name) => comparableAddress(name) !== undefined,
  ),
  tls_client_auth_san_email: alternativeName(
    "an e-mail address",
    "app@example.com",
    320,
    (name) => /^[!-9;-~]+@[!-~]+$/.test(name),
  ),
  access_token_format: v.pipe(
    v.picklist(accessTokenFormats),
    v.description(
      "Overrides ACCESS_TOKEN_FORMAT. league: for resource servers that were written for league/oauth2-server or Laravel Passport.",
    ),
  ),
};

export const timestamp = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
  v.description("Seconds since 1970."),
);
