import type { Client } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import { verifyIdToken } from "../openid/id-token.ts";
import type { Parameters } from "../parameters.ts";
import type { Server } from "../server.ts";

/** The parameters that must not be repeated in a request with the scope `openid`. */
const openIdParameters = [
  "nonce",
  "max_age",
  "acr_values",
  "id_token_hint",
  "request",
  "request_uri",
] as const;

/**
 * The parameters of OpenID Connect (Core section 3.1.2.1) in an authorization request. `prompt`, `login_hint` and
 * `ui_locales` are read in every request.
 */
export interface OpenIdParameters {
  /** Goes into the code and the ID token as it was sent. */
  nonce?: string;
  /** The longest time since the sign-in, in seconds. */
  max_age?: number;
  /** The authentication context classes that the client prefers, for the login. */
  acr_values?: string;
  /** The subject of `id_token_hint`: the user who must sign in. */
  hinted_subject?: string;
}

/** The largest `max_age`, in seconds: more than 300 years. */
export const MAX_AGE_SECONDS = 9_999_999_999;
/** At most ten digits, so at most `MAX_AGE_SECONDS`. */
const wholeSeconds = /^\d{1,10}$/;

/**
 * Reads the parameters of OpenID Connect in a request that has the scope `openid`. In other requests they have no
 * meaning.
 *
 * @throws OAuthError `parameter_repeated`, `request_object_unsupported`, `request_uri_unsupported`,
 *   `max_age_malformed`, `id_token_hint_invalid`
 */
export async function readOpenIdParameters(
  server: Pick<Server, "settings" | "verificationKeys">,
  client: Client,
  parameters: Parameters,
): Promise<OpenIdParameters> {
  parameters.refuseRepeated(openIdParameters);
  // Core section 6. To go on without them would ignore what the client has signed.
  if (parameters.optional("request") !== undefined)
    throw new OAuthError("request_object_unsupported");
  if (parameters.optional("request_uri") !== undefined)
    throw new OAuthError("request_uri_unsupported");
  const nonce = parameters.optional("nonce");
  const maxAge = parameters.optional("max_age");
  if (maxAge !== undefined && !wholeSeconds.test(maxAge))
    throw new OAuthError("max_age_malformed");
  const acr_values = parameters.optional("acr_values");
  const hint = parameters.optional("id_token_hint");
  return {
    ...(nonce !== undefined && { nonce }),
    ...(maxAge !== undefined && { max_age: Number(maxAge) }),
    ...(acr_values !== undefined && { acr_values }),
    ...(hint !== undefined && {
      hinted_subject: await subjectOf(server, client, hint),
    }),
  };
}

/** Returns the subject of an ID token that this server has made for the client. It may have expired. */
async function subjectOf(
  { settings, verificationKeys }: Pick<Server, "settings" | "verificationKeys">,
  { client_id }: Client,
  hint: string,
): Promise<string> {
  const token = await verifyIdToken(verificationKeys, settings.issuer, hint);
  if (token?.aud !== client_id) throw new OAuthError("id_token_hint_invalid");
  return token.sub;
}
