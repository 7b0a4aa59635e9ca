import type { Context } from "hono";
import type { Assertion } from "../oauth/clients/assertion.ts";
import { authenticateClient } from "../oauth/clients/authentication.ts";
import { authenticationParameters } from "../oauth/clients/credentials.ts";
import type { Client } from "../oauth/entities.ts";
import { identityOf } from "../oauth/login-attributes.ts";
import type { readLenientForm } from "./passport-body.ts";
import { type Parameters, readForm } from "../oauth/parameters.ts";
import type { EarlyServer } from "../oauth/server.ts";
import { clientCertificate } from "./client-certificate.ts";
import { type AppEnv, networkOf } from "./endpoint.ts";

/**
 * Reads the form of a request in which a client authenticates.
 *
 * @param singular the parameters that must not be repeated, beside those of client authentication
 * @param read reads the body; `readLenientForm` also accepts other formats than a form
 * @throws OAuthError `content_type_wrong`, `body_malformed` or `parameter_repeated`
 */
export async function readClientForm(
  c: Context<AppEnv>,
  singular: readonly string[],
  read: typeof readForm | typeof readLenientForm = readForm,
): Promise<Parameters> {
  const body = await c.req.arrayBuffer();
  const names = [...authenticationParameters, ...singular];
  return read(c.req.header("Content-Type"), body, names);
}

/** The client of a request. */
export interface Authenticated {
  client: Client;
  /** The client's assertion (`private_key_jwt`). Left out: it has authenticated in another way. */
  assertion?: Assertion;
  /**
   * Uses up the client's assertion (`private_key_jwt`). Whatever is not for single use by itself awaits it before it
   * answers. It does nothing for other methods, and nothing when it is called again.
   *
   * @throws OAuthError `client_assertion_used`, `storage_unavailable`
   */
  takeAssertion: () => Promise<void>;
}

/**
 * Authenticates the client of a request (RFC 6749 section 2.3), and adds its id to the log line.
 *
 * @param fresh true: the client's record must be at most a second old; false: at most a minute
 * @throws OAuthError 401 `invalid_client`; 400 `invalid_request` for two methods or two client ids at once; 429
 *   `client_secrets_limited`; 429 `client_keys_unreachable`; `storage_unavailable` if each assertion of the client is good
 *   for one request
 */
export async function authenticate(
  c: Context<AppEnv>,
  server: EarlyServer,
  form: Parameters,
  now: number,
  fresh = false,
): Promise<Authenticated> {
  const log = c.get("log");
  log.begin("client");
  const certificate = clientCertificate(c, server);
  const { client, assertion } = await authenticateClient(server, {
    authorization: c.req.header("Authorization"),
    parameters: form,
    certificate: certificate && (await certificate),
    network: networkOf(c),
    now,
    fresh,
  });
  log.fields.client_id = client.client_id;
  const take = async () => {
    if (!assertion) return;
    const assertions = await server.usedAssertions();
    await assertions.take(identityOf(client), assertion);
  };
  let taken: Promise<void> | undefined;
  const takeAssertion = () => (taken ??= take());
  // Before all else, also before a DPoP proof is asked for: an assertion that was not used up is good for a thief.
  if (client.single_use_client_assertions) await takeAssertion();
  return { client, ...(assertion && { assertion }), takeAssertion };
}
