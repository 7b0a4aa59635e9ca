import { WorkerEntrypoint } from "cloudflare:workers";
import { lazyAdminApp } from "../app.ts";
import { createEarlyServer, createServer, outlets } from "../create-server.ts";
import { roleNamed } from "../oauth/roles.ts";
import type {
  AdminAnswer,
  AdminRequest,
  AdminService,
  Refusal,
} from "./types.ts";

/** The origin of a request by RPC. No request has a Host by which it would be compared with ISSUER. */
const ORIGIN = "https://rpc.invalid";

/** The longest path with its query. One of HTTP has at most 16 KiB. */
const MAX_PATH = 16 * 1024;

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** The `props` of the service binding. */
interface AdminProps {
  role?: string;
}

/**
 * The admin API, for a Worker of the same account with a service binding to the entrypoint `Admin`. The binding is the
 * authority, so no admin token is needed, and the API is on without one. The role is in the `props` of the binding,
 * which only somebody who may deploy that Worker can set.
 */
export class Admin
  extends WorkerEntrypoint<Env, AdminProps>
  implements AdminService
{
  /** Answers requests. The entry of a local server has another one. A caller cannot reach what is static. */
  static fetchAdmin = lazyAdminApp({
    createEarlyServer,
    createServer,
    ...outlets,
  });

  async request<T>(asked: AdminRequest): Promise<AdminAnswer<T>> {
    const request = requestOf(asked);
    if (!request) return { ok: false, status: 400, body: malformed };
    const { fetchAdmin } = this.constructor as typeof Admin;
    // A role that does not exist is none, and not the default: a typing error must not let anybody read.
    const { role = "read" } = this.ctx.props ?? {};
    const response = await fetchAdmin(request, this.env, this.ctx, {
      actor: "rpc:Admin",
      role: roleNamed(role),
    });
    const { ok, status } = response;
    const body: unknown = status === 204 ? null : await response.json();
    return ok
      ? { ok, status, body: body as T }
      : { ok: false, status, body: body as Refusal };
  }
}

const malformed: Refusal = {
  error: "invalid_request",
  error_description:
    "The call must have one object with method (GET, POST, PUT, PATCH or DELETE) and path (such as /clients), and perhaps query and body.",
};

/** Makes the request of HTTP. Undefined: the call has another form. Nothing of it is trusted. */
function requestOf(asked: unknown): Request | undefined {
  if (typeof asked !== "object" || asked === null) return undefined;
  const { method, path, query, body } = asked as Record<string, unknown>;
  if (typeof method !== "string" || !methods.includes(method)) return undefined;
  if (typeof path !== "string" || !/^\/(?!\/)[!-~]*$/.test(path))
    return undefined;
  if (path.length > MAX_PATH) return undefined;
  if (query !== undefined && (typeof query !== "object" || query === null))
    return undefined;
  const url = new URL(`${ORIGIN}/admin${path}`);
  // The URL parser removes `..`.
  if (!url.pathname.startsWith("/admin/")) return undefined;
  for (const [name, value] of Object.entries(query ?? {}))
    url.searchParams.append(name, String(value));
  if (body === undefined || method === "GET")
    return new Request(url, { method });
  const json = jsonOf(body);
  if (json === undefined) return undefined;
  const headers = { "Content-Type": "application/json" };
  return new Request(url, { method, headers, body: json });
}

/** Returns undefined for what JSON cannot express: RPC lets more through. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
