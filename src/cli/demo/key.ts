import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  SignJWT,
} from "jose";
import type { DemoClient } from "./client.ts";
import type { Reporter } from "./reporter.ts";

/** Plays a login that is bound to a key (RFC 9449): a theft of its refresh token, and a holder who is late. */
export async function playKey(
  demoClient: DemoClient,
  reporter: Reporter,
  issuer: string,
): Promise<void> {
  const check = reporter.check.bind(reporter);
  reporter.chapter("A login is bound to a key");

  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  const client_id = "notes-cli";
  const prove = async () => ({
    DPoP: await new SignJWT({ htm: "POST", htu: `${issuer}/access_token` })
      .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk })
      .setIssuedAt()
      .setJti(crypto.randomUUID())
      .sign(privateKey),
  });
  const form = ({ refresh_token }: { refresh_token: string }) => ({
    grant_type: "refresh_token",
    refresh_token,
    client_id,
  });

  reporter.step(
    "Alice logs in at a command line, which has a key and no secret, and proves the key with each refresh",
  );
  await demoClient.admin(
    "POST",
    "/clients",
    {
      client_id,
      client_name: "Notes CLI",
      token_endpoint_auth_method: "none",
      scope: "read",
      redirect_uris: ["http://127.0.0.1/callback"],
    },
    201,
  );
  const dpop_jkt = await calculateJwkThumbprint(jwk);
  const first = await demoClient.logIn(client_id, "alice", { dpop_jkt });
  const second = await demoClient.requestTokens(form(first), await prove());
  check("token_type is DPoP", second.token_type === "DPoP");

  reporter.step("A thief has the refresh token and not the key");
  await demoClient.expectRefused(form(second), "invalid_dpop_proof");

  reporter.step(
    "The login goes on, also for a process of Alice's that comes late with a used token",
  );
  const late = await demoClient.requestTokens(form(first), await prove());
  check(
    "the response has the newest refresh token",
    late.refresh_token === second.refresh_token,
  );
}
