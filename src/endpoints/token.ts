import type { Context } from "hono";
import { enabledGrantTypes, grantTypes } from "../grants/index.ts";
import { authenticationMethods } from "../oauth/authentication-methods.ts";
import { OAuthError } from "../oauth/errors.ts";
import { readLenientForm } from "./passport-body.ts";
import { authenticate, readClientForm } from "./authentication.ts";
import { type AppEnv, type Endpoint, networkOf, now } from "./endpoint.ts";

/** The parameters that must not be repeated. `resource` may be repeated (RFC 8707 section 2). */
const singular = [
  "grant_type",
  ...new Set(grantTypes.flatMap(({ parameters }) => parameters)),
];

/** The token endpoint (RFC 6749 section 3.2). */
export const tokenEndpoint: Endpoint = {
  path: "/access_token",
  method: "POST",
  cors: true,

  metadata: (settings) => ({
    token_endpoint: `${settings.issuer}/access_token`,
    token_endpoint_auth_methods_supported: authenticationMethods,
    grant_types_supported: enabledGrantTypes(settings).map(({ type }) => type),
  }),

  respond: (c) => answerTokenRequest(c),
};

/**
 * The token endpoint at the path of Laravel Passport, for the body formats that Laravel accepts. Apps on
 * people's phones cannot be changed on the day on which the server moves.
 */
export const passportTokenEndpoint: Endpoint = {
  path: "/oauth/token",
  method: "POST",
  cors: true,
  isOn: ({ passport_token_endpoint }) => passport_token_endpoint,

  respond: (c) => answerTokenRequest(c, readLenientForm),
};

async function answerTokenRequest(
  c: Context<AppEnv>,
  read?: typeof readLenientForm,
): Promise<Response> {
  const { log } = c.var;
  const server = await c.var.server();
  const form = await readClientForm(c, singular, read);
  // The time is read after the whole body has arrived, because a client may send its body slowly.
  const time = now();

  const grantType = form.required("grant_type");
  const grant = enabledGrantTypes(server.settings).find(
    ({ type }) => type === grantType,
  );
  if (!grant) throw new OAuthError("grant_type_unknown");
  log.fields.grant_type = grant.type;

  const fresh = grant.needsFreshClient?.(server, form);
  const client = await authenticate(c, server, form, time, fresh);
  if (!client.grant_types.includes(grant.type)) {
    throw new OAuthError("grant_type_not_allowed", { subject: grant.type });
  }

  const answer = await grant.respond(server, {
    client,
    parameters: form,
    now: time,
    log,
    network: () => networkOf(c),
    userAgent: () => c.req.header("User-Agent") ?? "",
  });
  return c.json(answer);
}
