import { SignJWT } from "jose";
import { makeProofKey, proof, type ProofKey } from "../../support/dpop.ts";
import type { Sender } from "./play.ts";

/** The keys of those who send refreshes: the honest holders of a login share one, and the thief has one of its own. */
export type Keys = Readonly<Record<Sender, ProofKey>>;

export async function makeKeys(): Promise<Keys> {
  return { holder: await makeProofKey(), thief: await makeProofKey() };
}

/** Makes the keys of a client whose thief has stolen its key too. */
export async function makeStolenKeys(): Promise<Keys> {
  const key = await makeProofKey();
  return { holder: key, thief: key };
}

/** The headers and parameters that a request has in addition, so that it proves a key. */
export interface Proof {
  headers?: Record<string, string>;
  form?: Record<string, string>;
}

/** Proves the key of a sender. @param time of the server's clock, in seconds since 1970 */
export type Prove = (sender: Sender, time: number) => Promise<Proof>;

/** Proves keys by DPoP (RFC 9449). @param htu the token endpoint, as the server names it */
export function byDPoP(keys: Keys, htu: string): Prove {
  return async (sender, time) => {
    const iat = Math.floor(time);
    const claims = { htm: "POST", htu, iat };
    return { headers: { DPoP: await proof(keys[sender], claims) } };
  };
}

/** Authenticates a client by assertions (`private_key_jwt`, RFC 7523 section 2.2). */
export function byAssertion(
  keys: Keys,
  issuer: string,
  clientId: string,
): Prove {
  return async (sender, time) => {
    const iat = Math.floor(time);
    const { alg, privateKey } = keys[sender];
    const client_assertion = await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg, typ: "client-authentication+jwt" })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setIssuedAt(iat)
      .setExpirationTime(iat + 60)
      .sign(privateKey);
    return {
      form: {
        client_assertion_type:
          "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion,
      },
    };
  };
}
