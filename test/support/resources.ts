import { decodeJwt } from "jose";
import {
  expectTokens,
  obtainCode,
  type Parameters,
  redeem,
} from "./authorization.ts";
import { server, type TestServer, type Tokens } from "./server.ts";

/** Fills the catalogue of resources by the admin API. */

/** Adds or changes a resource. Its scopes are added to the scope catalogue first. */
export async function putResource(
  uri: string,
  entry: Record<string, unknown> & { scope?: string } = {},
  to: TestServer = server,
): Promise<void> {
  await to.makeScopes(...(entry.scope ?? "").split(" ").filter(Boolean));
  await to.expectAdmin("PUT", pathOfResource(uri), entry);
}

export function deleteResource(uri: string): Promise<void> {
  return server.expectAdmin("DELETE", pathOfResource(uri));
}

export function pathOfResource(uri: string): string {
  return `/resources/${encodeURIComponent(uri)}`;
}

/** Reads what an access token is for. */
export function targetOf({ access_token }: Pick<Tokens, "access_token">) {
  const { aud, scope, exp = 0, iat = 0 } = decodeJwt(access_token);
  return { aud, scope, seconds: exp - iat };
}

/** Signs alice in. A client that registered itself has her consent. */
export async function signIn(
  client: { client_id: string; client_secret?: string },
  more: Parameters = {},
  exchange: Record<string, string> = {},
): Promise<Tokens> {
  const decision = {
    subject: "alice",
    ...(client.client_secret === undefined && { consent: true }),
  };
  const code = await obtainCode(client, more, decision);
  return expectTokens(await redeem(client, code, exchange));
}
