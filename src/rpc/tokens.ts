import { WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import { createServer } from "../create-server.ts";
import { maxCharacters } from "../oauth/schema.ts";
import { introspectOwn, revokeOwn } from "../oauth/tokens/owner.ts";
import { answerCall, type CreateServer, senderOf, validate } from "./call.ts";
import type { ActiveToken, Refusal, TokensService } from "./types.ts";

const actor = "rpc:Tokens";

/** The longest token: that of a body of the HTTP endpoints. */
const presented = v.object({
  token: v.pipe(v.string(), v.minLength(1), maxCharacters(16 * 1024)),
});

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
        const claims = await introspectOwn(server, parsed.token, log, now);
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
        const now = Math.floor(Date.now() / 1000);
        await revokeOwn(server, parsed.token, log, now);
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
