import { WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import { createServer } from "../create-server.ts";
import { OAuthError } from "../oauth/errors.ts";
import type { RequestLog } from "../oauth/request-log.ts";
import { maxCharacters } from "../oauth/schema.ts";
import type { Server } from "../oauth/server.ts";
import { answerCall, type CreateServer, senderOf, validate } from "./call.ts";
import type { ActiveToken, Refusal, TokensService } from "./types.ts";

const actor = "rpc:Tokens";

/** The longest token: that of a body of the HTTP endpoints. */
const presented = v.object({
  token: v.pipe(v.string(), v.minLength(1), maxCharacters(16 * 1024)),
});

/** A call has no network, so nothing limits how many forged tokens it may present. */
const network = () => "";

/** Loads what no request for a token needs. */
const loadInspection = () => import("../oauth/tokens/inspection.ts");

/**
 * Introspection and revocation, for a Worker of the same account with a service binding to the entrypoint `Tokens`.
 * The binding is the authority, so the Worker needs no client and no secret, and may ask about any client's tokens.
 */
export class Tokens extends WorkerEntrypoint<Env> implements TokensService {
  /** Makes the server. The entry of a local server has another one. A caller cannot reach what is static. */
  static createServer: CreateServer = createServer;

  introspect(
    token: string,
  ): Promise<ActiveToken | { active: false } | Refusal> {
    return answerCall(
      this.#call("introspect"),
      this.#createServer(),
      async (server, log) => {
        const parsed = validate(presented, { token });
        const now = Math.floor(Date.now() / 1000);
        const { introspectOwn } = await loadInspection();
        const by = { network, log };
        const claims = await introspectOwn(server, parsed.token, by, now);
        return claims
          ? ({ active: true, ...claims } as ActiveToken)
          : { active: false as const };
      },
    );
  }

  revoke(token: string): Promise<Record<string, never> | Refusal> {
    return answerCall(
      this.#call("revoke"),
      this.#createServer(),
      async (server, log) => {
        const parsed = validate(presented, { token });
        await revokeOwn(server, parsed.token, log);
        return {};
      },
    );
  }

  #call(method: string) {
    return { method, actor, send: senderOf(this.env, this.ctx) };
  }

  #createServer() {
    const { createServer } = this.constructor as typeof Tokens;
    return () => createServer(this.env);
  }
}

/**
 * Ends the login of a token of any client, as `POST /admin/revoke` does. A token that is not valid is ignored (RFC 7009
 * section 2.2), and so is an expired access token: it may stand in a log, and the caller may only pass it on.
 *
 * @throws OAuthError `token_not_revocable`, `id_token_not_revocable` or `token_of_another_client`
 */
async function revokeOwn(
  server: Server,
  token: string,
  log: RequestLog,
): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const by = { network, log };
  const { endLogin, inspectToken } = await loadInspection();
  const inspection = await inspectToken(server, token, by, now);
  const { content } = inspection;
  if (content?.kind === "access_token" && now >= content.expires_at) return;
  const ending = await endLogin(server, inspection, by, now);
  if (ending === "of_client") throw new OAuthError("token_not_revocable");
  if (ending === "id_token") throw new OAuthError("id_token_not_revocable");
  if (ending === "not_issued") throw new OAuthError("token_of_another_client");
}
