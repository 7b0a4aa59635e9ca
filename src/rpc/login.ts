import { WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import { createServer } from "../create-server.ts";
import {
  decideAuthorization,
  decision,
} from "../oauth/authorization/decide.ts";
import { describeAuthorization } from "../oauth/authorization/describe.ts";
import { encryptedRequest } from "../oauth/authorization/interaction.ts";
import { grantUpdate, updateGrant } from "../oauth/tokens/update-grant.ts";
import {
  decideLogout,
  describeLogout,
  encryptedLogout,
  endedSession,
} from "../oauth/logout/end-session.ts";
import { answerCall, type CreateServer, senderOf, validate } from "./call.ts";
import type {
  AuthorizationDescription,
  Decision,
  Grant,
  GrantUpdate,
  EndedSession,
  LoginService,
  LogoutDescription,
  Refusal,
} from "./types.ts";

const actor = "rpc:Login";

/**
 * The part of the admin API that a sign-in page needs, for a Worker of the same account with a service
 * binding to the entrypoint `Login`. The binding is the authority, so no admin token is needed.
 */
export class Login extends WorkerEntrypoint<Env> implements LoginService {
  /** Makes the server. The entry of a local server has another one. A caller cannot reach what is static. */
  static createServer: CreateServer = createServer;

  describeAuthorization(
    request: string,
  ): Promise<AuthorizationDescription | Refusal> {
    return answerCall(
      this.#call("describeAuthorization"),
      this.#createServer(),
      async (server, log) => {
        const parsed = validate(v.object({ request: encryptedRequest }), {
          request,
        });
        const now = Math.floor(Date.now() / 1000);
        return describeAuthorization(server, parsed.request, now, log);
      },
    );
  }

  decideAuthorization(
    decided: Decision,
  ): Promise<{ redirect_to: string } | Refusal> {
    return answerCall(
      this.#call("decideAuthorization"),
      this.#createServer(),
      async (server, log) =>
        decideAuthorization(
          server,
          validate(decision, decided),
          Date.now(),
          log,
        ),
    );
  }

  updateGrant(update: GrantUpdate): Promise<Grant | Refusal> {
    return answerCall(
      this.#call("updateGrant"),
      this.#createServer(),
      async (server, log) => {
        const { grant_id, ...changes } = validate(grantUpdate, update);
        const now = Math.floor(Date.now() / 1000);
        return updateGrant(server, grant_id, changes, now, log);
      },
    );
  }

  describeLogout(request: string): Promise<LogoutDescription | Refusal> {
    return answerCall(
      this.#call("describeLogout"),
      this.#createServer(),
      async (server, log) => {
        const schema = v.object({ request: encryptedLogout });
        const parsed = validate(schema, { request });
        const now = Math.floor(Date.now() / 1000);
        return describeLogout(server, parsed.request, now, log);
      },
    );
  }

  decideLogout(
    ended: EndedSession,
  ): Promise<{ redirect_to?: string } | Refusal> {
    return answerCall(
      this.#call("decideLogout"),
      this.#createServer(),
      async (server, log) => {
        const now = Math.floor(Date.now() / 1000);
        return decideLogout(server, validate(endedSession, ended), now, log);
      },
    );
  }

  #call(method: string) {
    return { method, actor, send: senderOf(this.env, this.ctx) };
  }

  #createServer() {
    const { createServer } = this.constructor as typeof Login;
    return () => createServer(this.env);
  }
}
