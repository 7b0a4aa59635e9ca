import { expect, it } from "vitest";
import { server } from "../../support/server.ts";

/**
 * Keeps the OpenAPI document as it is, because clients are generated from it. After an intended change,
 * `npx vitest run -u` with the name of this file writes its outlines anew.
 */

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  oneOf?: { required: string[] }[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  default?: unknown;
  example?: unknown;
  description?: string;
}

interface Described {
  description: string;
  required?: boolean;
  content?: { "application/json": { schema: Schema } };
}

interface Operation {
  security: object[];
  summary: string;
  parameters?: (Described & { in: string; name: string; schema: Schema })[];
  requestBody?: Described;
  responses: Record<string, Described>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: object };
}

/** Returns the lines of a field: its name, type and bounds, the words with which its description begins. */
function linesOf(name: string, schema: Schema, isRequired = true): string[] {
  const { items, properties, required = [], additionalProperties } = schema;
  const fields = Object.entries(properties ?? {}).flatMap(([field, inner]) =>
    linesOf(field, inner, required.includes(field)),
  );
  const parts = [
    ...(items ? linesOf("each", items) : []),
    ...(typeof additionalProperties === "object"
      ? linesOf("any", additionalProperties)
      : []),
    ...(schema.anyOf ?? []).flatMap((inner) => linesOf("or", inner)),
    ...(schema.allOf ?? []).flatMap((inner) => linesOf("and", inner)),
    ...(schema.oneOf ?? []).map((inner) => `either ${inner.required.join()}`),
  ];
  const words = schema.description?.split(" ").slice(0, 3).join(" ");
  const head = [
    `${name}${isRequired ? "" : "?"}:`,
    schema.$ref?.replace("#/components/schemas/", ""),
    [schema.type ?? []].flat().join("/"),
    additionalProperties === false && "closed",
    schema.enum && `in ${JSON.stringify(schema.enum)}`,
    range(schema.minimum, schema.maximum),
    range(schema.minLength, schema.maxLength),
    range(schema.minItems, schema.maxItems),
    schema.pattern !== undefined && `/${schema.pattern}/`,
    "default" in schema && `= ${JSON.stringify(schema.default)}`,
    "example" in schema && `e.g. ${JSON.stringify(schema.example)}`,
    words !== undefined && `"${words}"`,
  ].filter(Boolean);
  return [head.join(" "), ...indent([...parts, ...fields])];
}

function range(min?: number, max?: number): string | undefined {
  if (min === undefined && max === undefined) return undefined;
  return `${min ?? ""}..${max ?? ""}`;
}

function indent(lines: string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** Returns the lines of a body. */
function linesOfBody(name: string, body: Described): string[] {
  const schema = body.content?.["application/json"].schema;
  return schema ? linesOf(name, schema) : [`${name}: no body`];
}

/** Returns the lines of responses. Statuses with the same body share them. */
function linesOfResponses(responses: Record<string, Described>): string[] {
  const groups = Map.groupBy(Object.entries(responses), ([, response]) =>
    linesOfBody("", response).join("\n"),
  );
  return [...groups].flatMap(([lines, group]) => {
    const statuses = group.map(([status]) => status).join(" ");
    return (statuses + lines).split("\n");
  });
}

function linesOfOperation(name: string, operation: Operation): string[] {
  const { parameters = [], requestBody, responses } = operation;
  return [
    name,
    ...indent([
      ...parameters.flatMap((parameter) =>
        linesOf(
          `${parameter.in} ${parameter.name}`,
          parameter.schema,
          parameter.required,
        ),
      ),
      ...(requestBody
        ? linesOfBody(requestBody.required ? "body" : "body?", requestBody)
        : []),
      ...linesOfResponses(responses),
    ]),
  ];
}

it("the OpenAPI document has these operations", async () => {
  const { paths } = await server.expectAdmin<Document>("GET", "/openapi.json");
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) =>
      linesOfOperation(`${method.toUpperCase()} ${path}`, operation),
    ),
  );
  expect(operations.join("\n")).toMatchInlineSnapshot(`
    "GET /admin/scopes
      200: object
        scopes: array
          each: Scope
      400 401 403 404 413 429 500 503: Error
    PUT /admin/scopes/{scope}
      path scope: string ..255 /^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$/ e.g. "read" "One scope (RFC"
      query dry_run?: string in ["true","false"] "true: the request"
      header If-Match?: string
      body: object closed
        description?: string 1..1000 e.g. "Read your notes" "The meaning of"
        claims?: array/null ..50 e.g. ["team"] "The claims about"
          each: string
      200: Scope
      400 401 403 404 412 413 429 500 503: Error
    DELETE /admin/scopes/{scope}
      path scope: string ..255 /^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$/ e.g. "read" "One scope (RFC"
      header If-Match?: string
      204: no body
      400 401 403 404 409 412 413 429 500 503: Error
    GET /admin/resources
      200: object
        resources: array
          each: Resource
      400 401 403 404 413 429 500 503: Error
    PUT /admin/resources/{resource}
      path resource: string ..2048 e.g. "https://api.example.com" "The URI of"
      query dry_run?: string in ["true","false"] "true: the request"
      query assume_scopes?: string ..8192 "With dry_run: scopes"
      header If-Match?: string
      body: ResourceChange
      200: Resource
      400 401 403 404 412 413 429 500 503: Error
    DELETE /admin/resources/{resource}
      path resource: string ..2048 e.g. "https://api.example.com" "The URI of"
      header If-Match?: string
      204: no body
      400 401 403 404 412 413 429 500 503: Error
    POST /admin/clients
      query dry_run?: string in ["true","false"] "true: the request"
      query assume_scopes?: string ..8192 "With dry_run: scopes"
      body: NewClient
      200: ChangedClient
      201: CreatedClient
      400 401 403 404 409 413 429 500 503: Error
    GET /admin/clients
      query limit?: integer 1..100 = 100
      query cursor?: string ..1024
      query deleted?: string in ["true","false"] "true: the deleted"
      query prefix?: string ..255 "Only clients whose"
      200: object
        clients: array
          each: ListedClient
        malformed?: array "Client records that"
          each: object
            name: string
            problem: string
        cursor?: string "There is another"
      400 401 403 404 413 429 500 503: Error
    GET /admin/clients/{client_id}
      path client_id: string e.g. "web" "The client identifier"
      200: Client
      400 401 403 404 413 429 500 503: Error
    PATCH /admin/clients/{client_id}
      path client_id: string e.g. "web" "The client identifier"
      query dry_run?: string in ["true","false"] "true: the request"
      query assume_scopes?: string ..8192 "With dry_run: scopes"
      header If-Match?: string
      body: ClientPatch
      200: ChangedClient
      400 401 403 404 412 413 429 500 503: Error
    DELETE /admin/clients/{client_id}
      path client_id: string e.g. "web" "The client identifier"
      header If-Match?: string
      204: no body
      400 401 403 404 412 413 429 500 503: Error
    POST /admin/clients/{client_id}/restore
      path client_id: string e.g. "web" "The client identifier"
      200: Client
      400 401 403 404 409 413 429 500 503: Error
    POST /admin/clients/{client_id}/secrets
      path client_id: string e.g. "web" "The client identifier"
      header If-Match?: string
      body?: object closed
        client_secret?: string /^[\\x20-\\x7e]{1,255}$/ "The secret to"
        allow_weak_secret?: boolean "true: client_secret may"
        old_secret_ttl?: string e.g. "PT24H" "How long the"
      201: ClientWithSecret
      400 401 403 404 409 412 413 429 500 503: Error
    POST /admin/grants
      body: NewGrant
      200: TokenResponse
      400 401 403 404 413 429 500 503: Error
    GET /admin/grants/{grant_id}
      path grant_id: string ..64
      200: GrantDetails
      400 401 403 404 413 429 500 503: Error
    PATCH /admin/grants/{grant_id}
      path grant_id: string ..64
      body: GrantChanges
      200: GrantDetails
      400 401 403 404 413 429 500 503: Error
    DELETE /admin/grants/{grant_id}
      path grant_id: string ..64
      204: no body
      400 401 403 404 413 429 500 503: Error
    GET /admin/subjects/{subject}/grants
      path subject: string 1.. e.g. "alice" "The user: \`sub\`"
      query limit?: integer 1..100 = 100
      query cursor?: string ..1024
      query client_id?: string e.g. "web" "Only the grants"
      200: object
        grants: array
          each: Grant
        cursor?: string "There is another"
      400 401 403 404 413 429 500 503: Error
    DELETE /admin/subjects/{subject}/grants
      path subject: string 1.. e.g. "alice" "The user: \`sub\`"
      200: object
        revoked: integer "How many grants"
      400 401 403 404 413 429 500: Error
      503: object
        error: string
        error_description: string
        fields?: object "The problem of"
          any: string
        revoked?: integer "How many grants"
    POST /admin/introspect
      body: object closed
        token: string 1..16384 "An access token"
      200: InspectedToken
      400 401 403 404 413 429 500 503: Error
    POST /admin/revoke
      body: object closed
        token: string 1..16384 "An access token"
      200: object
        revoked: boolean "false: the grant"
        grant_id?: string "The grant that"
        client_id?: string
        subject?: string
      400 401 403 404 413 429 500 503: Error
    GET /admin/authorizations
      query request: string 1..16384 "The value of"
      query subject?: string 1.. e.g. "alice" "The user who"
      200: AuthorizationDescription
      400 401 403 404 413 429 500 503: Error
    POST /admin/authorizations
      body: object closed
        either subject
        either error
        request: string 1..16384 "The value of"
        subject?: string 1.. e.g. "alice" "The user: \`sub\`"
        scope?: string ..8192 e.g. "read" "The scopes that"
        consent?: boolean in [true] "true: the user"
        auth_time?: integer 0..9007199254740991 e.g. 1767225600 "When the user"
        acr?: string 1..255 e.g. "urn:example:two-factor" "The authentication context"
        amr?: array ..20 e.g. ["pwd","otp"] "The authentication methods"
          each: string 1..100
        sid?: string 1..255 e.g. "b2f7c0d4" "The id of"
        claims?: object e.g. {"roles":["editor"],"tenant":"acme"} "For the access"
        id_token_claims?: object e.g. {"email":"alice@example.com","email_verified":true} "About the user,"
        userinfo?: object e.g. {"picture":"https://example.com/alice.png"} "About the user,"
        error?: string in ["access_denied","login_required","interaction_required","consent_required","account_selection_required","temporarily_unavailable","server_error"] "The error, instead"
      200: object
        redirect_to: string "The URL to"
      400 401 403 404 413 429 500 503: Error
    GET /admin/logouts
      query request: string 1..16384 "The value of"
      200: LogoutDescription
      400 401 403 404 413 429 500 503: Error
    POST /admin/logouts
      body: object closed
        request: string 1..16384 "The value of"
        subject?: string 1.. e.g. "alice" "The user who"
        sid?: string 1..255 "The session that"
      200: object
        redirect_to?: string "The URL to"
      400 401 403 404 413 429 500 503: Error
    GET /admin/league
      200: object
        accepts_tokens: boolean "True if LEAGUE_ENCRYPTION_KEY"
        exchanged: integer "Tokens of the"
        revoked: integer "Tokens of the"
      400 401 403 404 413 429 500 503: Error
    POST /admin/league/revoked-tokens
      body: RevokedLeagueTokens
      200: object
        in_force: integer "Tokens of the"
        expired: integer "Tokens of the"
        ended: integer "Grants of these"
      400 401 403 404 413 429 500 503: Error
    POST /admin/league/tokens
      body: LeagueTokenIds
      200: object
        exchanged: integer "Tokens of the"
        revoked: integer "Tokens of the"
        unknown: integer "Tokens of the"
      400 401 403 404 413 429 500 503: Error
    POST /admin/tokens
      body: NewAdminToken
      201: object
        name: string /^[a-z0-9][a-z0-9._-]{0,63}$/ e.g. "sign-in-page" "The name, which"
        role: string in ["admin","operator","login","read","register"] "The role: admin"
        id: string "The eight characters"
        created_at: integer 0..9007199254740991 "Seconds since 1970."
        created_by?: string "The administrator who"
        expires_at?: integer 0..9007199254740991 "Seconds since 1970."
        token: string "The token. The"
      400 401 403 404 409 413 429 500 503: Error
    GET /admin/tokens
      200: object
        tokens: array
          each: AdminToken
      400 401 403 404 413 429 500 503: Error
    DELETE /admin/tokens/{name}
      path name: string /^[a-z0-9][a-z0-9._-]{0,63}$/ e.g. "sign-in-page" "The name, which"
      204: no body
      400 401 403 404 413 429 500 503: Error
    POST /admin/doctor
      200: object
        checks: array
          each: DoctorCheck
      400 401 403 404 413 429 500 503: Error"
  `);
});

it("the OpenAPI document has these components", async () => {
  const { components } = await server.expectAdmin<Document>(
    "GET",
    "/openapi.json",
  );
  const schemas = Object.entries(components.schemas).flatMap(([name, schema]) =>
    linesOf(name, schema),
  );
  expect(schemas.join("\n")).toMatchInlineSnapshot(`
    "Error: object
      error: string
      error_description: string
      fields?: object "The problem of"
        any: string
    AdminToken: object
      name: string /^[a-z0-9][a-z0-9._-]{0,63}$/ e.g. "sign-in-page" "The name, which"
      role: string in ["admin","operator","login","read","register"] "The role: admin"
      id: string "The eight characters"
      created_at: integer 0..9007199254740991 "Seconds since 1970."
      created_by?: string "The administrator who"
      expires_at?: integer 0..9007199254740991 "Seconds since 1970."
    NewAdminToken: object closed
      name: string /^[a-z0-9][a-z0-9._-]{0,63}$/ e.g. "sign-in-page" "The name, which"
      role: string in ["admin","operator","login","read","register"] "The role: admin"
      expires_in?: string e.g. "P90D" "The token's life,"
    AuthorizationDescription: object
      client_id: string e.g. "web" "The client identifier"
      client_name?: string
      redirect_uri: string "The client's redirect"
      scopes: array "The scopes that"
        each: object
          scope: string ..255 /^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$/ e.g. "read" "One scope (RFC"
          description: string
      granted_scopes?: array "Only with the"
        each: object
          scope: string ..255 /^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$/ e.g. "read" "One scope (RFC"
          description: string
      resource: array "The resource servers"
        each: string
      resource_names?: object "The names of"
        any: string
      registered_by?: string in ["metadata_document","dynamic_registration"] "Only of a"
      client_host?: string "Only of a"
      redirect_host?: string "Only of a"
      redirect_is_loopback?: boolean "Only of a"
      needs_consent?: boolean in [true] "Only of a"
      prompt?: string "As the client"
      login_hint?: string "As the client"
      ui_locales?: string "As the client"
      max_age?: integer 0..9999999999 "Only with the"
      acr_values?: string "As the client"
      hinted_subject?: string "Only with the"
      expires_at: integer 0..9007199254740991 "The end of"
    NewClient: object closed
      client_name?: string 1..255 "A name for"
      token_endpoint_auth_method?: string in ["client_secret_basic","client_secret_post","private_key_jwt","tls_client_auth","self_signed_tls_client_auth","none"] "The method by"
      grant_types?: array ..10 "The grant types"
        each: string in ["authorization_code","refresh_token","client_credentials"]
      scope?: string ..8192 e.g. "read write" "Scopes with spaces"
      redirect_uris?: array ..100 "The URIs to"
        each: string ..2048
      post_logout_redirect_uris?: array ..100 "The URIs to"
        each: string ..2048
      backchannel_logout_uri?: string ..2048 "The https URL"
      backchannel_logout_session_required?: boolean "true: the client"
      resources?: array ..100 "The audiences that"
        each: string ..2048 e.g. "https://api.example.com" "The URI of"
      resource_server?: string ..2048 "Makes the client"
      require_pkce?: boolean "false: a confidential"
      refresh_without_offline_access?: boolean "true: a login"
      access_token_ttl?: string e.g. "PT10M" "Overrides ACCESS_TOKEN_TTL."
      refresh_token_ttl?: string e.g. "P14D" "Overrides REFRESH_TOKEN_TTL."
      refresh_token_max_age?: string e.g. "P6M" "Overrides REFRESH_TOKEN_MAX_AGE."
      refresh_token_retry_window?: string e.g. "PT30S" "Overrides REFRESH_TOKEN_RETRY_WINDOW. At"
      refresh_token_catch_up?: string e.g. "P7D" "How long after"
      jwks?: object "The public keys"
        keys: array 1..10
          each: object
            kty: string in ["EC","OKP","RSA"]
            crv?: string in ["P-256","P-384","P-521","Ed25519"]
            x?: string ..1400
            y?: string ..1400
            n?: string ..1400
            e?: string ..1400
            kid?: string ..255
            use?: string in ["sig"]
            key_ops?: array ..10
              each: string ..20
            alg?: string ..20
            x5c?: array 1..4
              each: string ..4096
            x5t#S256?: string /^[\\w-]{43}$/
      jwks_uri?: string ..2048 "The https URL"
      single_use_client_assertions?: boolean "true: each assertion"
      dpop_bound_access_tokens?: boolean "true: every request"
      tls_client_certificate_bound_access_tokens?: boolean "true: every request"
      tls_client_auth_subject_dn?: string 1..1024 "For tls_client_auth: the"
      tls_client_auth_san_dns?: string 1..255 "For tls_client_auth: a"
      tls_client_auth_san_uri?: string 1..2048 "For tls_client_auth: a"
      tls_client_auth_san_ip?: string 1..45 "For tls_client_auth: an"
      tls_client_auth_san_email?: string 1..320 "For tls_client_auth: an"
      access_token_format?: string in ["rfc9068","league"] "Overrides ACCESS_TOKEN_FORMAT. league:"
      client_id?: string e.g. "web" "The client identifier"
      client_secret?: string/null /^[\\x20-\\x7e]{1,255}$/ "The secret that"
      allow_weak_secret?: boolean "true: client_secret may"
      disabled?: boolean "true: every endpoint"
    ClientPatch: object closed
      client_name?: string/null 1..255 "A name for"
      token_endpoint_auth_method?: string/null in ["client_secret_basic","client_secret_post","private_key_jwt","tls_client_auth","self_signed_tls_client_auth","none",null] "The method by"
      grant_types?: array/null ..10 "The grant types"
        each: string in ["authorization_code","refresh_token","client_credentials"]
      scope?: string/null ..8192 e.g. "read write" "Scopes with spaces"
      redirect_uris?: array/null ..100 "The URIs to"
        each: string ..2048
      post_logout_redirect_uris?: array/null ..100 "The URIs to"
        each: string ..2048
      backchannel_logout_uri?: string/null ..2048 "The https URL"
      backchannel_logout_session_required?: boolean/null "true: the client"
      resources?: array/null ..100 "The audiences that"
        each: string ..2048 e.g. "https://api.example.com" "The URI of"
      resource_server?: string/null ..2048 "Makes the client"
      require_pkce?: boolean/null "false: a confidential"
      refresh_without_offline_access?: boolean/null "true: a login"
      access_token_ttl?: string/null e.g. "PT10M" "Overrides ACCESS_TOKEN_TTL."
      refresh_token_ttl?: string/null e.g. "P14D" "Overrides REFRESH_TOKEN_TTL."
      refresh_token_max_age?: string/null e.g. "P6M" "Overrides REFRESH_TOKEN_MAX_AGE."
      refresh_token_retry_window?: string/null e.g. "PT30S" "Overrides REFRESH_TOKEN_RETRY_WINDOW. At"
      refresh_token_catch_up?: string/null e.g. "P7D" "How long after"
      jwks?: object/null "The public keys"
        keys: array 1..10
          each: object
            kty: string in ["EC","OKP","RSA"]
            crv?: string in ["P-256","P-384","P-521","Ed25519"]
            x?: string ..1400
            y?: string ..1400
            n?: string ..1400
            e?: string ..1400
            kid?: string ..255
            use?: string in ["sig"]
            key_ops?: array ..10
              each: string ..20
            alg?: string ..20
            x5c?: array 1..4
              each: string ..4096
            x5t#S256?: string /^[\\w-]{43}$/
      jwks_uri?: string/null ..2048 "The https URL"
      single_use_client_assertions?: boolean/null "true: each assertion"
      dpop_bound_access_tokens?: boolean/null "true: every request"
      tls_client_certificate_bound_access_tokens?: boolean/null "true: every request"
      tls_client_auth_subject_dn?: string/null 1..1024 "For tls_client_auth: the"
      tls_client_auth_san_dns?: string/null 1..255 "For tls_client_auth: a"
      tls_client_auth_san_uri?: string/null 1..2048 "For tls_client_auth: a"
      tls_client_auth_san_ip?: string/null 1..45 "For tls_client_auth: an"
      tls_client_auth_san_email?: string/null 1..320 "For tls_client_auth: an"
      access_token_format?: string/null in ["rfc9068","league",null] "Overrides ACCESS_TOKEN_FORMAT. league:"
      tokens_not_before?: e.g. "now" "Ends every login"
        or: integer 0..9007199254740991 "Seconds since 1970."
        or: string in ["now"]
      disabled?: boolean "true: every endpoint"
    Client: object
      client_id: string e.g. "web" "The client identifier"
      client_id_issued_at: integer 0..9007199254740991 "Seconds since 1970."
      grant_types: array ..10 "The grant types"
        each: string in ["authorization_code","refresh_token","client_credentials"]
      scope: string ..8192 e.g. "read write" "Scopes with spaces"
      redirect_uris?: array ..100 = [] "The URIs to"
        each: string ..2048
      resources?: array ..100 = [] "The audiences that"
        each: string ..2048 e.g. "https://api.example.com" "The URI of"
      client_name?: string 1..255 "A name for"
      token_endpoint_auth_method?: string in ["client_secret_basic","client_secret_post","private_key_jwt","tls_client_auth","self_signed_tls_client_auth","none"] "The method by"
      post_logout_redirect_uris?: array ..100 "The URIs to"
        each: string ..2048
      backchannel_logout_uri?: string ..2048 "The https URL"
      backchannel_logout_session_required?: boolean "true: the client"
      resource_server?: string ..2048 "Makes the client"
      require_pkce?: boolean "false: a confidential"
      refresh_without_offline_access?: boolean "true: a login"
      access_token_ttl?: string e.g. "PT10M" "Overrides ACCESS_TOKEN_TTL."
      refresh_token_ttl?: string e.g. "P14D" "Overrides REFRESH_TOKEN_TTL."
      refresh_token_max_age?: string e.g. "P6M" "Overrides REFRESH_TOKEN_MAX_AGE."
      refresh_token_retry_window?: string
      refresh_token_catch_up?: string e.g. "P7D" "How long after"
      jwks?: object "The public keys"
        keys: array 1..10
          each: object
            kty: string in ["EC","OKP","RSA"]
            crv?: string in ["P-256","P-384","P-521","Ed25519"]
            x?: string ..1400
            y?: string ..1400
            n?: string ..1400
            e?: string ..1400
            kid?: string ..255
            use?: string in ["sig"]
            key_ops?: array ..10
              each: string ..20
            alg?: string ..20
            x5c?: array 1..4
              each: string ..4096
            x5t#S256?: string /^[\\w-]{43}$/
      jwks_uri?: string ..2048 "The https URL"
      single_use_client_assertions?: boolean "true: each assertion"
      dpop_bound_access_tokens?: boolean "true: every request"
      tls_client_certificate_bound_access_tokens?: boolean "true: every request"
      tls_client_auth_subject_dn?: string 1..1024 "For tls_client_auth: the"
      tls_client_auth_san_dns?: string 1..255 "For tls_client_auth: a"
      tls_client_auth_san_uri?: string 1..2048 "For tls_client_auth: a"
      tls_client_auth_san_ip?: string 1..45 "For tls_client_auth: an"
      tls_client_auth_san_email?: string 1..320 "For tls_client_auth: an"
      access_token_format?: string in ["rfc9068","league"] "Overrides ACCESS_TOKEN_FORMAT. league:"
      tokens_not_before?: integer 0..9007199254740991 "Logins and tokens"
      registered_by?: string in ["metadata_document","dynamic_registration"] "How the client"
      registration_expires_at?: integer 0..9007199254740991 "Only of a"
      disabled_at?: integer 0..9007199254740991 "The client is"
      credentials: array "When each valid"
        each: object
          created_at: integer 0..9007199254740991 "Seconds since 1970."
          expires_at?: integer 0..9007199254740991 "Seconds since 1970."
    ListedClient:
      and: Client
      and: object
        deleted_at?: integer 0..9007199254740991 "When the client"
        restorable_until?: integer 0..9007199254740991 "From this time"
    ClientWithSecret:
      and: Client
      and: object
        client_secret?: string "The secret, if"
        client_secret_expires_at?: number in [0] "0: the secret"
    CreatedClient:
      and: ClientWithSecret
      and: object
        warnings?: array "What the operator"
          each: string
    ChangedClient:
      and: Client
      and: object
        warnings?: array "What the operator"
          each: string
    DoctorCheck: object
      name: string "The binding, or"
      duration_ms: integer "How long it"
      problem?: string "Left out: it"
    Grant: object
      grant_id: string
      client_id: string
      scope: string
      created_at: integer 0..9007199254740991 "Seconds since 1970."
      last_used_at: integer 0..9007199254740991 "Seconds since 1970."
      expires_at: integer 0..9007199254740991 "Seconds since 1970."
    GrantDetails: object
      grant_id: string
      client_id: string
      scope: string
      created_at: integer 0..9007199254740991 "Seconds since 1970."
      last_used_at: integer 0..9007199254740991 "Seconds since 1970."
      expires_at: integer 0..9007199254740991 "Seconds since 1970."
      subject: string
      sub_type?: string in ["client"] "client: there is"
      resource: array "The audiences that"
        each: string
      ends_at: integer 0..9007199254740991 "When the grant"
      generation: integer "The number of"
      cnf?: object "The keys that"
        jkt?: string
        x5t#S256?: string
      auth_time?: integer 0..9007199254740991 e.g. 1767225600 "When the user"
      acr?: string 1..255 e.g. "urn:example:two-factor" "The authentication context"
      amr?: array ..20 e.g. ["pwd","otp"] "The authentication methods"
        each: string 1..100
      sid?: string 1..255 e.g. "b2f7c0d4" "The id of"
      claims?: object e.g. {"roles":["editor"],"tenant":"acme"} "For the access"
      id_token_claims?: object e.g. {"email":"alice@example.com","email_verified":true} "About the user,"
      userinfo?: object e.g. {"picture":"https://example.com/alice.png"} "About the user,"
      hidden?: array "The fields about"
        each: string in ["auth_time","acr","amr","sid","claims","id_token_claims","userinfo"]
      inactive_because?: string in ["unknown","not_issued","id_token","expired","used","grant_ended","client_unknown","tokens_not_before"] "Left out: it"
    NewGrant: object closed
      client_id: string e.g. "web" "The client identifier"
      subject: string 1.. e.g. "alice" "The user: \`sub\`"
      scope?: string ..8192 e.g. "read" "The scopes to"
      resource?:
        or: string ..2048 e.g. "https://api.example.com" "The URI of"
        or: array ..100
          each: string ..2048 e.g. "https://api.example.com" "The URI of"
      dpop_jkt?: string /^[\\w-]{42}[AEIMQUYcgkosw048]$/ e.g. "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" "The thumbprint (RFC"
      x5t#S256?: string /^[\\w-]{42}[AEIMQUYcgkosw048]$/ e.g. "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" "The thumbprint (RFC"
      auth_time?: integer 0..9007199254740991 e.g. 1767225600 "When the user"
      acr?: string 1..255 e.g. "urn:example:two-factor" "The authentication context"
      amr?: array ..20 e.g. ["pwd","otp"] "The authentication methods"
        each: string 1..100
      sid?: string 1..255 e.g. "b2f7c0d4" "The id of"
      claims?: object e.g. {"roles":["editor"],"tenant":"acme"} "For the access"
      id_token_claims?: object e.g. {"email":"alice@example.com","email_verified":true} "About the user,"
      userinfo?: object e.g. {"picture":"https://example.com/alice.png"} "About the user,"
    TokenResponse: object
      token_type: string in ["Bearer","DPoP"]
      expires_in: integer "The access token's"
      access_token: string
      refresh_token?: string
      refresh_token_timeout?: integer "How long the"
      authorization_expires_in?: integer "How long the"
      id_token?: string "The ID token,"
      scope?: string
    GrantChanges: object closed
      auth_time?: integer/null 0..9007199254740991 e.g. 1767225600 "When the user"
      acr?: string/null 1..255 e.g. "urn:example:two-factor" "The authentication context"
      amr?: array/null ..20 e.g. ["pwd","otp"] "The authentication methods"
        each: string 1..100
      sid?: string/null 1..255 e.g. "b2f7c0d4" "The id of"
      claims?: object/null e.g. {"roles":["editor"],"tenant":"acme"} "For the access"
      id_token_claims?: object/null e.g. {"email":"alice@example.com","email_verified":true} "About the user,"
      userinfo?: object/null e.g. {"picture":"https://example.com/alice.png"} "About the user,"
    RevokedLeagueTokens: object closed
      tokens: array 1..100
        each: object closed
          refresh_token_id: string /^[\\x21-\\x7e]{1,255}$/
          expires_at?: integer 0..9007199254740991 "Seconds since 1970."
      refresh_token_ttl?: string e.g. "P1Y" "The longest life"
    LeagueTokenIds: object closed
      refresh_token_ids: array 1..100
        each: string /^[\\x21-\\x7e]{1,255}$/
    LogoutDescription: object
      client_id?: string e.g. "web" "Left out: the"
      client_name?: string
      subject?: string "The user, by"
      sid?: string "The session, by"
      post_logout_redirect_uri?: string "The URI to"
      ui_locales?: string "As the client"
      logout_hint?: string "As the client"
      is_confirmed: boolean "true: the app"
      expires_at: integer 0..9007199254740991 "The end of"
    Resource: object
      resource: string ..2048 e.g. "https://api.example.com" "The URI of"
      name?: string 1..255 e.g. "Notes" "A name for"
      scope: string ..8192 e.g. "read write" "The scopes that"
      audience?: string ..2048 /^[\\x21-\\x7e]+$/ e.g. "https://api.example.com" "The audience (aud)"
      access_token_format?: string in ["rfc9068","league"] "The format of"
      access_token_ttl?: string e.g. "PT10M" "The lifetime of"
      self_registered_clients: boolean "true: clients that"
    ResourceChange: object closed
      name?: string/null 1..255 e.g. "Notes" "A name for"
      scope?: string/null ..8192 e.g. "read write" "The scopes that"
      audience?: string/null ..2048 /^[\\x21-\\x7e]+$/ e.g. "https://api.example.com" "The audience (aud)"
      access_token_format?: string/null in ["rfc9068","league",null] "The format of"
      access_token_ttl?: string/null e.g. "PT10M" "The lifetime of"
      self_registered_clients?: boolean "true: clients that"
    Scope: object
      scope: string ..255 /^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$/ e.g. "read" "One scope (RFC"
      description: string 1..1000 e.g. "Read your notes" "The meaning of"
      claims?: array ..50 e.g. ["team"] "The claims about"
        each: string
    InspectedToken: object
      active: boolean "Whether its client"
      inactive_because?: string in ["unknown","not_issued","id_token","expired","used","grant_ended","client_unknown","tokens_not_before"] "Left out: it"
      kind?: string in ["access_token","refresh_token","league_token","id_token"]
      grant_id?: string "The grant that"
      client_id?: string
      subject?: string
      sub_type?: string in ["client"] "client: there is"
      scope?: string
      resource?: array "The audiences of"
        each: string
      cnf?: object "The keys that"
        jkt?: string
        x5t#S256?: string
      issued_at?: integer 0..9007199254740991 "Seconds since 1970."
      expires_at?: integer 0..9007199254740991 "Seconds since 1970."
      generation?: integer "The number of"
      grant?: GrantDetails"
  `);
});

it("says of each field that a change may make null, that null removes it or what it means", async () => {
  const { components, paths } = await server.expectAdmin<Document>(
    "GET",
    "/openapi.json",
  );
  const changes = components.schemas["GrantChanges"]?.properties ?? {};
  expect(Object.keys(changes)).toHaveLength(7);
  for (const { description } of Object.values(changes))
    expect(description).toMatch(/\. null removes it\.$/);
  const { schema } =
    paths["/admin/scopes/{scope}"]?.["put"]?.requestBody?.content?.[
      "application/json"
    ] ?? {};
  expect(schema?.properties?.["claims"]?.description).toMatch(
    /Left out: as before\. null: for profile/,
  );
});
