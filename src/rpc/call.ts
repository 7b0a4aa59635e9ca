import type * as v from "valibot";
import {
  asOAuthError,
  invalidFields,
  type OAuthError,
} from "../oauth/errors.ts";
import { RequestLog } from "../oauth/request-log.ts";
import { parse } from "../oauth/schema.ts";
import type { Server } from "../oauth/server.ts";
import type { Refusal } from "./types.ts";

/** Makes the server of a set of bindings. */
export type CreateServer = (env: Env) => Promise<Server>;

/**
 * Answers a call of an entrypoint, and writes its log line. A refusal is returned and not thrown, because custom
 * errors do not survive RPC.
 *
 * @param actor the administrator in the log
 */
export async function answerCall<T>(
  { method, actor }: { method: string; actor: string },
  createServer: () => Promise<Server>,
  operation: (server: Server, log: RequestLog) => Promise<T>,
): Promise<T | Refusal> {
  const log = new RequestLog();
  log.fields.actor = actor;
  let refusal: OAuthError | undefined;
  try {
    return await operation(await createServer(), log);
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

/** @throws OAuthError `admin_body_invalid` with every wrong field */
export function validate<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
): v.InferOutput<S> {
  const { data, issues } = parse(schema, value);
  if (issues) throw invalidFields(issues);
  return data;
}
