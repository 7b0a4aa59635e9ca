import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type Connection, isLoopback } from "./connection.ts";
import { problemsByFlag } from "./field-flags.ts";
import { ApiError, Failure, UsageError } from "../failure.ts";
import { connectionError } from "./connection-error.ts";
import { redirectNotice } from "./redirect.ts";
import { serverKey } from "../keys/server-key.ts";
import { printable } from "../output.ts";

/** Much longer than any admin request takes. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Limits for retries after a 503: their number, and the wait before each. */
const MAX_RETRIES = 3;
const MAX_WAIT_SECONDS = 5;

const refusal = z.looseObject({
  error: z.string(),
  error_description: z.string().optional(),
});

/** How a server on this machine describes `local_keys_missing`. */
const noKeys = /\bhas no keys yet\b/;

/** The answer of `/health`. */
export const healthSchema = z.looseObject({
  status: z.enum(["ok", "degraded", "failing"]),
  /** Left out: there are none, or the server did not accept the admin token. */
  problems: z
    .array(z.object({ name: z.string(), problem: z.string() }))
    .optional(),
  /** Left out: the server did not accept the admin token, or it is older. */
  version: z.string().optional(),
  /** Left out: the server did not accept the admin token, or its keys cannot be read. */
  keys: z.array(serverKey).optional(),
  /** True: there are more clients than the server has looked at. */
  more_clients: z.boolean().optional(),
});

export type Health = z.output<typeof healthSchema>;

export interface AdminRequest<S extends z.ZodType> {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path segments after /admin, not yet percent-encoded. */
  path: string[];
  query?: Record<string, string>;
  body?: object;
  /**
   * Called with the body of each 503. @returns true if the request did a part of its work: then it is sent again,
   * however often
   */
  hasGotOn?: (body: unknown) => boolean;
  /** The ETag of what the caller has read. The server refuses the change if the object is another one now. */
  ifMatch?: string | undefined;
  /** The fields of the response that the caller uses. A loose object keeps the other fields, for --json. */
  schema: S;
}

/** The body of a response, and the ETag of the object in it. */
export interface Tagged<T> {
  body: T;
  etag: string | undefined;
}

/** A client of the admin API. It turns error responses into messages, and leaves all rules to the server. */
export class AdminClient {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Sends a request and returns the body of the response.
   *
   * @throws ApiError if the API refuses the request
   * @throws Failure if the server cannot be reached or is not Baton
   */
  async request<S extends z.ZodType>(
    request: AdminRequest<S>,
  ): Promise<z.output<S>> {
    return (await this.requestTagged(request)).body;
  }

  /** As `request`, and returns the ETag of the response as well. */
  async requestTagged<S extends z.ZodType>(
    request: AdminRequest<S>,
  ): Promise<Tagged<z.output<S>>> {
    const response = await this.#sendWithRetries(request);
    const body = response.status === 204 ? {} : await readJson(response);
    if (!response.ok) throw await this.#errorOf(request, response, body);
    const parsed = request.schema.safeParse(body);
    const etag = response.headers.get("ETag") ?? undefined;
    if (parsed.success) return { body: parsed.data, etag };
    throw this.#notBaton(response);
  }

  /** Sends the request again after a 503 with Retry-After (RFC 9110 section 10.2.3). */
  async #sendWithRetries(request: AdminRequest<z.ZodType>): Promise<Response> {
    for (let retries = 0; ; retries++) {
      const response = await this.#send(request);
      const wait = Number(response.headers.get("Retry-After") ?? NaN);
      if (response.status !== 503 || !(wait >= 0)) return response;
      if (request.hasGotOn?.(await readJson(response.clone()))) retries = 0;
      else if (retries === MAX_RETRIES) return response;
      await response.body?.cancel();
      await sleep(Math.min(wait, MAX_WAIT_SECONDS) * 1000);
    }
  }

  /** Asks for the server's health. With the admin token the server names what is wrong. */
  async health(): Promise<Health> {
    const { url } = this.#connection;
    const response = await this.#fetch("GET", new URL("/health", url));
    const parsed = healthSchema.safeParse(await readJson(response));
    if (!parsed.success) throw this.#notBaton(response);
    return parsed.data;
  }

  /**
   * Asks a server on this machine why it cannot work. It says so to everybody if it was started without keys.
   *
   * @returns undefined if it does not say so
   */
  async missingKeysAdvice(): Promise<string | undefined> {
    const { url } = this.#connection;
    if (!isLoopback(new URL(url).hostname)) return undefined;
    const target = new URL("/.well-known/jwks.json", url);
    return this.#missingKeysAdvice(
      await readJson(await this.#fetch("GET", target)),
    );
  }

  /** The server's own sentence, if it is on this machine and was started without keys. */
  #missingKeysAdvice(body: unknown): string | undefined {
    const { url } = this.#connection;
    const description = refusal.safeParse(body).data?.error_description ?? "";
    return isLoopback(new URL(url).hostname) && noKeys.test(description)
      ? printable(description)
      : undefined;
  }

  #send({
    method,
    path,
    query = {},
    body,
    ifMatch,
  }: AdminRequest<z.ZodType>): Promise<Response> {
    const { url } = this.#connection;
    const target = new URL(`/admin/${path.map(encodeSegment).join("/")}`, url);
    target.search = new URLSearchParams(query).toString();
    return this.#fetch(method, target, body, ifMatch);
  }

  async #fetch(
    method: string,
    target: URL,
    body?: object,
    ifMatch?: string,
  ): Promise<Response> {
    const { token } = this.#connection;
    try {
      return await fetch(target, {
        method,
        headers: {
          Accept: "application/json",
          Authorization: `Bearer ${token}`,
          ...(body && { "Content-Type": "application/json" }),
          ...(ifMatch !== undefined && { "If-Match": ifMatch }),
        },
        ...(body && { body: JSON.stringify(body) }),
        // Following a redirect could send the admin token to another server.
        redirect: "manual",
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
    } catch (error) {
      throw connectionError(this.#connection, error, REQUEST_TIMEOUT_MS);
    }
  }

  async #errorOf(
    request: AdminRequest<z.ZodType>,
    response: Response,
    body: unknown,
  ): Promise<Failure> {
    const { url, tokenSource } = this.#connection;
    const parsed = refusal.safeParse(body);
    if (!parsed.success) return this.#notBaton(response);
    const { error, error_description } = parsed.data;
    const isExpired = /\bhas expired\b/.test(error_description ?? "");
    if (response.status === 401 && !isExpired) {
      return new ApiError(
        `${url} refused the admin token: ${tokenSource} is neither the server's ADMIN_TOKEN nor one of its admin tokens. Set BATON_ADMIN_TOKEN to one of them, and BATON_URL to ${url}.`,
        body,
        response.status,
      );
    }
    if (response.status === 404 && (await this.#isApiOff(request))) {
      return new ApiError(
        `The admin API of ${url} is off, because the server has no ADMIN_TOKEN. To turn it on, set the secret: \`npx wrangler secret put ADMIN_TOKEN\`. For a server on this machine, set ADMIN_TOKEN in .dev.vars and start \`npm run dev\` again.`,
        body,
        response.status,
      );
    }
    if (response.status === 500) {
      const advice = this.#missingKeysAdvice(body);
      if (advice !== undefined)
        return new ApiError(
          `${url} could not do this. ${advice}`,
          body,
          response.status,
        );
      return new ApiError(
        `${url} has a problem, and could not do this. To see which one: \`npm run baton -- health\`. If that says ok, look for request_id ${printable(response.headers.get("X-Request-Id") ?? "unknown")} in the server's log.`,
        body,
        response.status,
      );
    }
    // Printed on one line, so that text from the server cannot imitate a line of this program.
    return new ApiError(
      printable(
        problemsByFlag(body, request.path) ?? error_description ?? error,
      ),
      body,
      response.status,
    );
  }

  /** True if a 404 means that the whole admin API is off, not that one record is missing. */
  async #isApiOff({ path }: AdminRequest<z.ZodType>): Promise<boolean> {
    if (path.length === 1) return true;
    const probe = await this.#send({
      method: "GET",
      path: ["scopes"],
      schema: z.unknown(),
    });
    await probe.body?.cancel();
    return probe.status === 404;
  }

  #notBaton(response: Response): Failure {
    const { url } = this.#connection;
    return new Failure(
      `${url} responded (HTTP ${response.status}), but not like the admin API of Baton.${redirectNotice(url, response.headers)} Check the URL.`,
    );
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Encodes a path segment. URLs read `.` and `..` as steps of a path, even percent-encoded. */
function encodeSegment(text: string): string {
  if (["", ".", ".."].includes(text))
    throw new UsageError(
      `"${text}" cannot be a name, because it cannot be part of a URL path. Use another name.`,
    );
  return encodeURIComponent(text);
}
