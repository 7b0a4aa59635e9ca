import { WorkerEntrypoint } from "cloudflare:workers";
import * as v from "valibot";
import { createServer } from "./create-server.ts";
import {
  decideAuthorization,
  type Decision,
  decision,
} from "./oauth/authorization/decide.ts";
import {
  type AuthorizationDescription,
  describeAuthorization,
} from "./oauth/authorization/describe.ts";
import {
  asOAuthError,
  invalidFields,
  type OAuthError,
} from "./oauth/errors.ts";
import { encryptedRequest } from "./oauth/authorization/interaction.ts";
import { RequestLog } from "./oauth/request-log.ts";
import { parse } from "./oauth/schema.ts";
import type { Server } from "./oauth/server.ts";

/** The result of a method that has failed: the JSON of a refusal of the admin API. */
export type Refusal = ReturnType<OAuthError["toJSON"]>;

/**
 * The part of the admin API that a sign-in page needs, for a Worker of the same account with a service
 * binding to the entrypoint `Login`. The binding is the authority, so no admin token is needed. Methods
 * return a `Refusal` and do not throw, because custom errors do not survive RPC.
 */
export class Login extends WorkerEntrypoint<Env> {
  /** Makes the server. The entry of a local server has another one. A caller cannot reach what is static. */
  static createServer: (env: Env) => Promise<Server> = createServer;

  /** Describes an authorization request, as `GET /admin/authorizations` does. */
  describeAuthorization(
    request: string,
  ): Promise<AuthorizationDescription | Refusal> {
    return this.#answer("describeAuthorization", async (server, log) => {
      const parsed = validate(v.object({ request: encryptedRequest }), {
        request,
      });
      const now = Math.floor(Date.now() / 1000);
      return describeAuthorization(server, parsed.request, now, log);
    });
  }

  /** Decides an authorization request, as `POST /admin/authorizations` does. */
  decideAuthorization(
    decided: Decision,
  ): Promise<{ redirect_to: string } | Refusal> {
    return this.#answer("decideAuthorization", async (server, log) =>
      decideAuthorization(server, validate(decision, decided), Date.now(), log),
    );
  }

  async #answer<T>(
    method: string,
    operation: (server: Server, log: RequestLog) => Promise<T>,
  ): Promise<T | Refusal> {
    const log = new RequestLog();
    let refusal: OAuthError | undefined;
    try {
      const { createServer } = this.constructor as typeof Login;
      return await operation(await createServer(this.env), log);
    } catch (error) {
      refusal = asOAuthError(error);
      return refusal.toJSON();
    } finally {
      log.write({
        request_id: crypto.randomUUID(),
        endpoint: method,
        method: "RPC",
        status: refusal?.status ?? 200,
        refusal,
      });
    }
  }
}

/** @throws OAuthError `admin_body_invalid` with every wrong field */
function validate<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
): v.InferOutput<S> {
  const { data, issues } = parse(schema, value);
  if (issues) throw invalidFields(issues);
  return data;
}
