import { proofOf, thumbprintOf } from "./proofs.ts";
import { KEY_CLIENT, type Session, type Tokens } from "./session.ts";

/** Logins that are bound to a key, and clients that authenticate with one. The public client is `app`. */

/** Signs a user in at the public client, with a proof of its key. */
export async function signInBound(
  baton: Session,
  subject: string,
): Promise<Tokens> {
  const dpop_jkt = await thumbprintOf("app");
  const code = await baton.codeFor("app", subject, { dpop_jkt });
  return baton.expectRedeem("app", code, await proofOf("app"));
}

/**
 * Makes the server store what belongs to keys. The client `app` exists.
 *
 * @returns what is in flight
 */
export async function makeKeyRecords(
  baton: Session,
): Promise<Record<string, string>> {
  const bound = await signInBound(baton, "ann");
  const used = await signInBound(baton, "ann");
  await baton.expectRefresh("app", used.refresh_token, await proofOf("app"));

  // A login that had begun before the client had a key.
  const code = await baton.codeFor("app", "ben");
  const bearer = await baton.expectRedeem("app", code);
  const boundLater = await baton.expectRefresh(
    "app",
    bearer.refresh_token,
    await proofOf("app"),
  );

  await makeKeyClient(baton);
  // The server keeps the id of the assertion.
  await baton.ownToken(KEY_CLIENT);
  const ofKeyClient = await baton.login(KEY_CLIENT, "cleo");
  await makeCertificateClients(baton);
  const dpop_jkt = await thumbprintOf("app");
  return {
    bound_refresh: bound.refresh_token,
    bound_used: used.refresh_token,
    bound_later_refresh: boundLater.refresh_token,
    bearer_used: bearer.refresh_token,
    key_client_refresh: ofKeyClient.refresh_token,
    bound_code: await baton.codeFor("app", "ann", { dpop_jkt }),
    bound_request: await baton.authorize("app", { dpop_jkt }),
  };
}

/** Makes the client that authenticates with its key. */
export function makeKeyClient(baton: Session): Promise<void> {
  return baton.makeClient(KEY_CLIENT, {
    grant_types: ["refresh_token", "client_credentials"],
    refresh_token_catch_up: "P7D",
  });
}

/** Makes clients with the fields that no other client has. */
async function makeCertificateClients(baton: Session): Promise<void> {
  await baton.makeClient("certified", {
    client_secret: undefined,
    token_endpoint_auth_method: "tls_client_auth",
    tls_client_auth_subject_dn: "CN=certified,O=Example",
    tls_client_certificate_bound_access_tokens: true,
    dpop_bound_access_tokens: true,
  });
  for (const [name, value] of Object.entries({
    tls_client_auth_san_dns: "client.example.com",
    tls_client_auth_san_uri: "https://client.example.com/",
    tls_client_auth_san_ip: "192.0.2.7",
    tls_client_auth_san_email: "client@example.com",
  }))
    await baton.makeClient(`certified-by-${name}`, {
      client_secret: undefined,
      token_endpoint_auth_method: "tls_client_auth",
      [name]: value,
    });
  await baton.makeClient("keys-elsewhere", {
    client_secret: undefined,
    token_endpoint_auth_method: "private_key_jwt",
    jwks_uri: "https://app.example.com/jwks.json",
    single_use_client_assertions: true,
  });
}
