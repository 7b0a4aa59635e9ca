import type * as v from "valibot";
import { outlets } from "../create-server.ts";
import {
  asOAuthError,
  invalidFields,
  type OAuthError,
} from "../oauth/errors.ts";
import { type Report, reportEvents } from "../oauth/event-report.ts";
import { RequestLog } from "../oauth/request-log.ts";
import { parse } from "../oauth/schema.ts";
import type { Server } from "../oauth/server.ts";
import type { Refusal } from "./types.ts";

/** A call of an entrypoint. */
interface Call {
  method: string;
  actor: string;
  send: (report: Report) => void;
}

/** Makes the server of a set of bindings. */
export type CreateServer = (env: Env) => Promise<Server>;

/**
 * Answers a call of an entrypoint, and writes its log line. A refusal is returned and not thrown, because custom
 * errors do not survive RPC.
 *
 * @param call `actor`: the administrator in the log. `send`: sends the events of the call (`senderOf`)
 */
export async function answerCall<T>(
  { method, actor, send }: Call,
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
    const request_id = crypto.randomUUID();
    if (refusal) log.addRefusal(refusal);
    if (log.hasEvents) {
      const origin = { request_id, network: "", user_agent: "" };
      send(await reportEvents(log, origin, createServer));
    }
    log.write({
      request_id,
      endpoint: method,
      method: "RPC",
      status: refusal?.status ?? 200,
      refusal,
    });
  }
}

/** Makes the function that sends events behind the answer of a call. */
export function senderOf(
  env: Env,
  ctx: ExecutionContext,
): (report: Report) => void {
  return (report) => {
    const sent = outlets.sendEvents(env, report);
    if (sent) ctx.waitUntil(sent);
  };
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
