import { type Client, isPublic } from "../oauth/entities.ts";
import { OAuthError } from "../oauth/errors.ts";
import { hasOwner } from "../oauth/family-owner.ts";
import { findClient } from "../oauth/find-client.ts";
import { introspectLeagueToken, isLeagueToken } from "../league/token-kind.ts";
import type { Server } from "../oauth/server.ts";
import { type KnownToken, lookUpToken } from "../oauth/tokens/own-kinds.ts";
import { authenticate, readClientForm } from "./authentication.ts";
import { type Endpoint, networkOf, now } from "./endpoint.ts";

/**
 * Token introspection (RFC 7662), for confidential clients: each for its own tokens, and a resource
 * server for every access token with its audience. The family is asked, so that a login that was
 * ended shows at once. Any other token is not active, whatever is wrong with it (section 2.2).
 */
export const introspectionEndpoint: Endpoint = {
  path: "/introspect",
  method: "POST",
  cors: false,

  metadata: ({ issuer }) => ({
    introspection_endpoint: `${issuer}/introspect`,
    introspection_endpoint_auth_methods_supported: [
      "client_secret_basic",
      "client_secret_post",
    ],
  }),

  async respond(c) {
    const { log } = c.var;
    const server = await c.var.connect();
    const form = await readClientForm(c, ["token", "token_type_hint"]);
    const time = now();
    const client = await authenticate(c, server, form, time);
    // Section 2.1: or anybody could try tokens here.
    if (isPublic(client)) {
      throw new OAuthError("client_authentication_method_wrong");
    }
    const token = form.required("token");
    const presenter = { client, network: () => networkOf(c) };
    log.begin("family");
    const answer = isLeagueToken(token)
      ? await introspectLeagueToken(server, token, presenter, time)
      : await introspect(
          server,
          client,
          await lookUpToken(server, token),
          time,
        );
    return c.json(answer ? { active: true, ...answer } : { active: false });
  },
};

async function introspect(
  server: Server,
  client: Client,
  token: KnownToken | undefined,
  time: number,
): Promise<Record<string, unknown> | undefined> {
  if (!token || time >= token.expires_at) return undefined;
  if (token.kind !== "refresh_token" && !mayAsk(client, token.claims))
    return undefined;
  if (token.kind === "client_access_token") {
    const { claims } = token;
    const owner = await findClient(server, claims.client_id, (one) => one);
    return owner && { ...claims, token_type: "Bearer" };
  }
  const family = await server.families.look(token.family_id);
  if (!family || time >= family.expires_at) return undefined;
  if (!(await hasOwner(server, family))) return undefined;
  if (token.kind === "access_token")
    return { ...token.claims, token_type: "Bearer" };

  const { client_id, generation, scope, subject, last_used_at } = family;
  const newest =
    client_id === client.client_id &&
    generation === token.generation &&
    crypto.subtle.timingSafeEqual(family.secret_hash, token.secret_hash);
  return newest
    ? {
        iss: server.settings.issuer,
        sub: subject,
        client_id,
        ...(scope.length > 0 && { scope: scope.join(" ") }),
        iat: last_used_at,
        exp: token.expires_at,
      }
    : undefined;
}

function mayAsk(
  { client_id, resource_server }: Client,
  claims: { client_id: string; aud: string | string[] },
): boolean {
  const forIt =
    resource_server !== undefined &&
    [claims.aud].flat().includes(resource_server);
  return claims.client_id === client_id || forIt;
}
