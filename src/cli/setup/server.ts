import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import {
  AdminClient,
  type Health,
  healthSchema,
} from "../commands/admin-client.ts";
import type { Connection } from "../commands/connection.ts";
import { problemLines } from "../commands/problem-lines.ts";
import { Failure } from "../failure.ts";
import { Progress } from "../progress.ts";

/** The questions for the server itself, at its address. */

/** A new custom domain gets its certificate within minutes. */
export const DEFAULT_WAIT_SECONDS = 300;
const ASK_INTERVAL_MS = 2_000;
const ANSWER_TIMEOUT_MS = 10_000;

const metadata = z.object({ issuer: z.string() });

/**
 * Finds out who answers at an address: nobody, the Baton with this ISSUER (also one that cannot work), or something
 * else.
 */
export async function whoAnswersAt(
  issuer: string,
): Promise<"nobody" | "this server" | "another"> {
  const document = await get(
    `${issuer}/.well-known/oauth-authorization-server`,
  );
  if (document === undefined) return "nobody";
  if (metadata.safeParse(document.body).data?.issuer === issuer)
    return "this server";
  // Without a working configuration there is no metadata.
  const health = await get(`${issuer}/health`);
  return healthSchema.safeParse(health?.body).success
    ? "this server"
    : "another";
}

/** Sends a request. Undefined: nothing answers. The body is undefined if it is not JSON. */
async function get(
  url: string,
  token?: string,
): Promise<{ status: number; body: unknown } | undefined> {
  try {
    const response = await fetch(url, {
      headers: {
        Accept: "application/json",
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, body: parseJson(text) };
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Asks `/health` until it is well.
 *
 * @param token with it the server names what is wrong
 * @throws Failure with the last answer, after the time
 */
export async function waitForHealth(
  issuer: string,
  token: string | undefined,
  waitSeconds: number,
): Promise<Health> {
  const end = Date.now() + waitSeconds * 1000;
  const progress = new Progress();
  for (;;) {
    const answer = await get(`${issuer}/health`, token);
    const { data: health } = healthSchema.safeParse(answer?.body);
    // A token that was set a moment ago may not be everywhere yet.
    if (health && health.status !== "failing") {
      progress.end();
      return health;
    }
    if (Date.now() >= end) {
      progress.end();
      throw notWell(issuer, waitSeconds, answer?.status, health);
    }
    progress.show(() => `${issuer}/health is not well yet …`);
    await sleep(Math.min(ASK_INTERVAL_MS, Math.max(end - Date.now(), 0)));
  }
}

function notWell(
  issuer: string,
  waitSeconds: number,
  status: number | undefined,
  health: Health | undefined,
): Failure {
  const start = `${issuer}/health has not answered ok within ${waitSeconds} seconds.`;
  if (health?.problems)
    return new Failure(
      [
        `${start} The server names what is wrong:`,
        ...problemLines(health.problems),
      ].join("\n"),
    );
  if (health)
    return new Failure(
      `${start} The server says that it is failing. Its log names what is wrong: npx wrangler tail`,
    );
  return new Failure(
    status === undefined
      ? `${start} Nothing answers there. A new custom domain may take longer: run setup again, which asks again. Check that the domain is in this Cloudflare account, or that the workers.dev subdomain is that of the account.`
      : `${start} What answers there (HTTP ${status}) is not Baton. Check that no other Worker, record or rule takes the address.`,
  );
}

const scopes = z.looseObject({
  scopes: z.array(z.looseObject({ scope: z.string() })),
});
const clients = z.looseObject({
  clients: z.array(z.looseObject({ client_id: z.string() })),
});
const made = z.looseObject({
  client_id: z.string(),
  client_secret: z.string().optional(),
});

export type NewClient = z.output<typeof made>;

/** The catalogue and the clients of a server, as far as a first run needs them. */
export class FirstRecords {
  readonly #admin: AdminClient;

  constructor(connection: Connection) {
    this.#admin = new AdminClient(connection);
  }

  async scopes(): Promise<string[]> {
    const body = await this.#admin.request({
      method: "GET",
      path: ["scopes"],
      schema: scopes,
    });
    return body.scopes.map(({ scope }) => scope);
  }

  async putScope(scope: string, description: string): Promise<void> {
    await this.#admin.request({
      method: "PUT",
      path: ["scopes", scope],
      body: { description },
      schema: z.unknown(),
    });
  }

  async clients(): Promise<string[]> {
    const body = await this.#admin.request({
      method: "GET",
      path: ["clients"],
      schema: clients,
    });
    return body.clients.map(({ client_id }) => client_id);
  }

  createClient(
    name: string,
    scope: string,
    redirectUri: string | undefined,
  ): Promise<NewClient> {
    return this.#admin.request({
      method: "POST",
      path: ["clients"],
      body: {
        client_name: name,
        ...(scope !== "" && { scope }),
        ...(redirectUri !== undefined && { redirect_uris: [redirectUri] }),
      },
      schema: made,
    });
  }
}
