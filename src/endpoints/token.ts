import type { Context } from "hono";
import { proofAlgorithms } from "../dpop/algorithms.ts";
import { enabledGrantTypes, grantTypes } from "../grants/index.ts";
import { assertionAlgorithms } from "../oauth/assertion-algorithms.ts";
import { enabledMethods } from "../oauth/authentication-methods.ts";
import { hasKey } from "../oauth/confirmation.ts";
import { isPublic } from "../oauth/entities.ts";
import { asOAuthError, OAuthError } from "../oauth/errors.ts";
import { readLenientForm } from "./passport-body.ts";
import type { UnprovenReason } from "../grants/grant-type.ts";
import { authenticate, readClientForm } from "./authentication.ts";
import {
  keysToBind,
  lacksKey,
  offerNonce,
  readPossession,
} from "./possession.ts";
import { type AppEnv, type Endpoint, networkOf, now } from "./endpoint.ts";

/** The parameters that must not be repeated. `resource` may be repeated (RFC 8707 section 2). */
const singular = [
  "grant_type",
  ...new Set(grantTypes.flatMap(({ parameters }) => parameters)),
];

const PATH = "/access_token";
const PASSPORT_PATH = "/oauth/token";

/** The token endpoint (RFC 6749 section 3.2). */
export const tokenEndpoint: Endpoint = {
  path: PATH,
  method: "POST",
  cors: true,

  metadata: (settings) => ({
    token_endpoint: settings.issuer + PATH,
    token_endpoint_auth_methods_supported: enabledMethods(settings),
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    grant_types_supported: enabledGrantTypes(settings).map(({ type }) => type),
    dpop_signing_alg_values_supported: proofAlgorithms,
    // draft-ietf-oauth-refresh-token-expiration: the answers say both ends of a refresh token.
    refresh_token_expiration_types_supported: [
      "authorization",
      "token_timeout",
    ],
  }),

  respond: (c) => answerTokenRequest(c, PATH),
};

/**
 * The token endpoint at the path of Laravel Passport, for the body formats that Laravel accepts. Apps on
 * people's phones cannot be changed on the day on which the server moves.
 */
export const passportTokenEndpoint: Endpoint = {
  path: PASSPORT_PATH,
  method: "POST",
  cors: true,
  isOn: ({ passport_token_endpoint }) => passport_token_endpoint,

  respond: (c) => answerTokenRequest(c, PASSPORT_PATH, readLenientForm),
};

async function answerTokenRequest(
  c: Context<AppEnv>,
  path: string,
  read?: typeof readLenientForm,
): Promise<Response> {
  const log = c.get("log");
  const early = await c.get("early")();
  const server = c.get("server");
  const form = await readClientForm(c, singular, read);
  // The time is read after the whole body has arrived, because a client may send its body slowly.
  const time = now();

  const grantType = form.required("grant_type");
  const grant = enabledGrantTypes(early.settings).find(
    ({ type }) => type === grantType,
  );
  if (!grant) throw new OAuthError("grant_type_unknown");
  log.fields.grant_type = grant.type;

  // KV is asked for the client; meanwhile the grant reads ahead and a new isolate gets its signing keys ready.
  const fresh = grant.needsFreshClient?.(early, form);
  const authenticated = authenticate(c, early, form, time, fresh);
  const reading = readPossession(c, path, early, time);
  const request = { parameters: form, now: time };
  const started = grant.readAhead?.(early, request, server) ?? {};
  const complete = server();
  const settled = Promise.allSettled([
    complete,
    reading,
    ...Object.values(started),
  ]);
  const onUnproven = async (client_id: string, reason: UnprovenReason) =>
    grant.onUnproven?.(early, { now: time, log, client_id, reason }, started);
  try {
    const { client, assertion, takeAssertion } = await authenticated.catch(
      async (error: unknown) => {
        const { unproven, client_id = "" } = asOAuthError(error).details;
        if (unproven) await onUnproven(client_id, unproven);
        throw error;
      },
    );
    if (!client.grant_types.includes(grant.type)) {
      throw new OAuthError("grant_type_not_allowed", { subject: grant.type });
    }

    const { proof_id, ...proven } = await reading.catch(
      async (error: unknown) => {
        // Only a public client has logins that are bound to a key.
        const { reason } = asOAuthError(error);
        if (reason === "dpop_proof_invalid" && isPublic(client))
          await onUnproven(client.client_id, "proof_invalid");
        throw error;
      },
    );
    if (lacksKey(client, proven))
      await onUnproven(client.client_id, "proof_missing");
    const bound_to = keysToBind(client, proven);
    const answer = await grant.respond(
      await complete,
      {
        ...request,
        client,
        log,
        ...(assertion && { assertion }),
        takeAssertion,
        ...(hasKey(proven) && { proven }),
        ...(bound_to && { bound_to }),
        ...(proof_id !== undefined && { proof_id }),
        network: () => networkOf(c),
        userAgent: () => c.req.header("User-Agent") ?? "",
        waitUntil: (work) => c.executionCtx.waitUntil(work),
      },
      started,
    );
    if (proof_id !== undefined) await offerNonce(c, early);
    return c.json(answer);
  } catch (error) {
    // The platform cuts off a read that nobody awaits. It would be made again for every request that is refused.
    await settled;
    throw error;
  }
}
