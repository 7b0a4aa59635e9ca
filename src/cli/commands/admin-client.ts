import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Connection } from "./connection.ts";
import { ApiError, Failure, UsageError } from "../failure.ts";
import { printable } from "../output.ts";

/** Far beyond what any admin request takes. */
const PATIENCE_MS = 30_000;
/** How often a request is sent again after 503, and how long is waited each time at most. */
const MOST_RETRIES = 3;
const MOST_WAIT_SECONDS = 5;

const refusal = z.looseObject({
  error: z.string(),
  error_description: z.string().optional(),
});

export interface AdminRequest<S extends z.ZodType> {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** What follows /admin, a segment each; they are encoded here. */
  path: string[];
  query?: Record<string, string>;
  body?: object;
  /** What of the answer is used here; the rest passes through. */
  answer: S;
}

/** The admin API over HTTP. It knows how to ask and how to hear a no, and no rule of the server. */
export class AdminClient {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * @throws ApiError when the API refuses
   * @throws Failure when there is no such server, or it is not Baton
   */
  async ask<S extends z.ZodType>(
    request: AdminRequest<S>,
  ): Promise<z.output<S>> {
    const response = await this.#sendPatiently(request);
    const body = response.status === 204 ? {} : await readJson(response);
    if (!response.ok) throw await this.#refused(request, response, body);
    const answer = request.answer.safeParse(body);
    if (answer.success) return answer.data;
    throw this.#notBaton(response);
  }

  /** 503 with Retry-After says that the request may be sent again, and when (RFC 9110 section 10.2.3). */
  async #sendPatiently(request: AdminRequest<z.ZodType>): Promise<Response> {
    for (let retries = 0; ; retries++) {
      const response = await this.#send(request);
      const wait = Number(response.headers.get("Retry-After") ?? NaN);
      if (response.status !== 503 || !(wait >= 0) || retries === MOST_RETRIES)
        return response;
      await response.body?.cancel();
      await sleep(Math.min(wait, MOST_WAIT_SECONDS) * 1000);
    }
  }

  async #send({
    method,
    path,
    query = {},
    body,
  }: AdminRequest<z.ZodType>): Promise<Response> {
    const { url, token } = this.#connection;
    const target = new URL(`/admin/${path.map(segment).join("/")}`, url);
    target.search = new URLSearchParams(query).toString();
    try {
      return await fetch(target, {
        method,
        headers: {
          Accept: "application/json",
          Authorization: `Bearer ${token}`,
          ...(body && { "Content-Type": "application/json" }),
        },
        ...(body && { body: JSON.stringify(body) }),
        // A redirect would carry the token to wherever it points.
        redirect: "manual",
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      throw unreachable(url, error);
    }
  }

  async #refused(
    request: AdminRequest<z.ZodType>,
    response: Response,
    body: unknown,
  ): Promise<Failure> {
    const { url, tokenSource } = this.#connection;
    const parsed = refusal.safeParse(body);
    if (!parsed.success) return this.#notBaton(response);
    if (response.status === 401) {
      return new ApiError(
        `${url} does not accept the admin token: ${tokenSource} is not the server's ADMIN_TOKEN.`,
        body,
        response.status,
      );
    }
    if (response.status === 404 && (await this.#isOff(request))) {
      return new ApiError(
        `The admin API of ${url} is off. Turn it on by setting its secret: \`npx wrangler secret put ADMIN_TOKEN\`; on this machine, fill in ADMIN_TOKEN in .dev.vars and start \`npm run dev\` again.`,
        body,
        response.status,
      );
    }
    const { error, error_description } = parsed.data;
    // On one line, so that nothing in it can pass for a line of ours.
    return new ApiError(
      printable(error_description ?? error),
      body,
      response.status,
    );
  }

  /** Whether a 404 is about the whole API, not about the one thing that was asked for. */
  async #isOff({ path }: AdminRequest<z.ZodType>): Promise<boolean> {
    if (path.length === 1) return true;
    const probe = await this.#send({
      method: "GET",
      path: ["scopes"],
      answer: z.unknown(),
    });
    await probe.body?.cancel();
    return probe.status === 404;
  }

  #notBaton(response: Response): Failure {
    const { url } = this.#connection;
    const location = response.headers.get("Location");
    const moved =
      location !== null && URL.canParse(location, url)
        ? ` It points to ${new URL(location, url).origin}; if that is your server, name it with --url.`
        : "";
    return new Failure(
      `${url} answers, but not as Baton's admin API does (HTTP ${response.status}).${moved} Is it the right server?`,
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

/** URLs treat the dots as steps, also when they are percent-encoded. */
function segment(text: string): string {
  if (["", ".", ".."].includes(text))
    throw new UsageError(`"${text}" cannot be a name.`);
  return encodeURIComponent(text);
}

function unreachable(url: string, error: unknown): Failure {
  if (error instanceof Error && error.name === "TimeoutError") {
    return new Failure(
      `${url} did not answer within ${PATIENCE_MS / 1000} seconds.`,
    );
  }
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  if (code === "ECONNREFUSED") {
    return new Failure(
      `There is no server at ${url}. Start one with \`npm run dev\`, or name yours with --url or BATON_URL.`,
    );
  }
  if (code === "ENOTFOUND") {
    return new Failure(
      `There is no host with the name in ${url}. Is it spelled right?`,
    );
  }
  return new Failure(`${url} cannot be reached: ${String(message || code)}.`);
}
