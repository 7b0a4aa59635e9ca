import { WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import { createServer } from "../create-server.ts";
import type { Seconds } from "../oauth/duration.ts";
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

/** Loads what no request for a token needs. */
const loadOperations = () => import("./login-operations.ts");

/**
 * The part of the admin API that a sign-in page needs, for a Worker of the same account with a service
 * binding to the entrypoint `Login`. The binding is the authority, so no admin token is needed.
 */
export class Login extends WorkerEntrypoint<Env> implements LoginService {
  /** Makes the server. The entry of a local server has another one. A caller cannot reach what is static. */
  static createServer: CreateServer = createServer;

  describeAuthorization(
    request: string,
    about?: { subject?: string },
  ): Promise<AuthorizationDescription | Refusal> {
    return answerCall(
      this.#call("describeAuthorization"),
      this.#createServer(),
      async (server, log) => {
        const { describeAuthorization, encryptedRequest, aboutUser } =
          await loadOperations();
        const schema = v.object({
          request: encryptedRequest,
          about: v.optional(aboutUser, {}),
        });
        const asked = validate(schema, { request, about });
        const { subject } = asked.about;
        return describeAuthorization(
          server,
          asked.request,
          now(),
          log,
          subject,
        );
      },
    );
  }

  decideAuthorization(
    decided: Decision,
  ): Promise<{ redirect_to: string } | Refusal> {
    return answerCall(
      this.#call("decideAuthorization"),
      this.#createServer(),
      async (server, log) => {
        const { decideAuthorization, decision } = await loadOperations();
        const parsed = validate(decision, decided);
        return decideAuthorization(server, parsed, Date.now(), log);
      },
    );
  }

  updateGrant(update: GrantUpdate): Promise<Grant | Refusal> {
    return answerCall(
      this.#call("updateGrant"),
      this.#createServer(),
      async (server, log) => {
        const { grantUpdate, updateGrant } = await loadOperations();
        const { grant_id, ...changes } = validate(grantUpdate, update);
        return updateGrant(server, grant_id, changes, now(), log);
      },
    );
  }

  describeLogout(request: string): Promise<LogoutDescription | Refusal> {
    return answerCall(
      this.#call("describeLogout"),
      this.#createServer(),
      async (server, log) => {
        const { describeLogout, encryptedLogout } = await loadOperations();
        const schema = v.object({ request: encryptedLogout });
        const parsed = validate(schema, { request });
        return describeLogout(server, parsed.request, now(), log);
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
        const { decideLogout, endedSession } = await loadOperations();
        return decideLogout(server, validate(endedSession, ended), now(), log);
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

function now(): Seconds {
  return Math.floor(Date.now() / 1000);
}
