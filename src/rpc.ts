import { WorkerEntrypoint } from "cloudflare:workers";
import { z } from "zod";
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
import type { Server } from "./oauth/server.ts";

/** What a method answers that can't do what it was asked for: as the admin API's body. */
export type Refusal = ReturnType<OAuthError["toJSON"]>;

/**
 * What a login needs of the admin API, and no more, for a Worker of the same account, by a service
 * binding with the entrypoint `Login`. The binding is the authority: no admin token is needed. Methods
 * answer with what went wrong, they do not throw: custom errors do not survive RPC.
 */
export class Login extends WorkerEntrypoint<Env> {
  /** `GET /admin/authorizations`: what a client asks a person for. */
  describeAuthorization(
    request: string,
  ): Promise<AuthorizationDescription | Refusal> {
    return this.#answer("describeAuthorization", async (server, log) => {
      const asked = parse(z.strictObject({ request: encryptedRequest }), {
        request,
      });
      const now = Math.floor(Date.now() / 1000);
      return describeAuthorization(server, asked.request, now, log);
    });
  }

  /** `POST /admin/authorizations`: who has signed in and what they allow, or that they do not. */
  decideAuthorization(
    decided: Decision,
  ): Promise<{ redirect_to: string } | Refusal> {
    return this.#answer("decideAuthorization", async (server, log) =>
      decideAuthorization(server, parse(decision, decided), Date.now(), log),
    );
  }

  async #answer<T>(
    method: string,
    operation: (server: Server, log: RequestLog) => Promise<T>,
  ): Promise<T | Refusal> {
    const log = new RequestLog();
    let refusal: OAuthError | undefined;
    try {
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

/** @throws OAuthError `admin_body_invalid` with every field that is wrong */
function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidFields(parsed.error.issues);
  return parsed.data;
}
