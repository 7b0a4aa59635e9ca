import { expect } from "vitest";
import type { ProtectedResource } from "../../src/resource/index.ts";
import {
  accessTokenHash,
  proof,
  type ProofClaims,
  type ProofKey,
} from "../support/dpop.ts";
import { RESOURCE } from "./issuer.ts";

/** Requests with proofs (RFC 9449 section 7), and how a protected resource refuses them. */

/** Makes the proof of a request with a token. Without a token it has no `ath`. */
export async function proofWith(
  key: ProofKey,
  htm: string,
  htu: string,
  token?: string,
  claims: Partial<ProofClaims> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const ath = token === undefined ? {} : { ath: await accessTokenHash(token) };
  return proof(key, { htm, htu, ...ath, ...claims }, header);
}

/** A request with these headers. Several values of one name are several headers. */
export function request(
  headers: [name: string, value: string][],
  { url = RESOURCE, method = "GET" } = {},
): Request {
  return new Request(url, { method, headers });
}

/** Status, error code and description of a refusal. The code is in one challenge, that of the scheme. */
export async function refused(
  one: ProtectedResource,
  asked: Request,
): Promise<[number, string | undefined, string | undefined]> {
  const answer = await one.authorize(asked);
  if (!(answer instanceof Response)) throw new Error("The token was accepted.");
  const { error, error_description } = await answer.json<{
    error?: string;
    error_description?: string;
  }>();
  const challenge = answer.headers.get("WWW-Authenticate") ?? "";
  expect(challenge.split(`error="${error}"`)).toHaveLength(error ? 2 : 1);
  return [answer.status, error, error_description];
}
