import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import type { ServerProcess } from "../server-process.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";

const wranglerToml = join(import.meta.dirname, "../../../wrangler.toml");
const slowKv = join(import.meta.dirname, "slow-kv/wrangler.toml");

/**
 * Where the server stores: in memory, if there is such a place. A disk makes the one thread wait for
 * each write; Cloudflare's storage does not, and a disk that others use too has its moods.
 */
const memory = "/dev/shm";

/** How many connections the generator holds: its requests beyond that wait their turn with it. */
const CONNECTIONS = 256;

/** A confidential client, as it authenticates. */
export interface Client {
  client_id: string;
  client_secret: string;
}

/** One login, with the newest tokens of its family. */
export interface Login {
  client: Client;
  subject: string;
  access_token: string;
  refresh_token: string;
}

/** The server has answered what it must not: the run is worth nothing. */
export class WrongAnswer extends Error {}

/**
 * Baton as `wrangler deploy` would send it, on bare workerd, with storage of its own. Each method checks
 * what it is answered, and throws WrongAnswer.
 */
export class BatonServer {
  readonly process: ServerProcess;
  readonly #pool: Pool;
  readonly #adminToken: string;

  private constructor(process: ServerProcess, adminToken: string) {
    this.process = process;
    this.#adminToken = adminToken;
    this.#pool = new Pool(process.url, { connections: CONNECTIONS });
  }

  /** @param withSlowKv each call of KV takes its time, as it does at Cloudflare's */
  static async start(port: number, withSlowKv = false): Promise<BatonServer> {
    const root = existsSync(memory) ? memory : tmpdir();
    const folder = await mkdtemp(join(root, "baton-scale-"));
    const worker = await buildUpload(wranglerToml, folder);
    // What is built under the name of the usual one is taken instead of it.
    if (withSlowKv) await buildUpload(slowKv, folder, "kv");
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const adminToken = randomBytes(32).toString("base64url");
    const variables = {
      ISSUER: "https://auth.example",
      PRIVATE_KEY: JSON.stringify(privateKey.export({ format: "jwk" })),
      ENCRYPTION_KEY: randomBytes(32).toString("base64"),
      ADMIN_TOKEN: adminToken,
    };
    const started = startWorkerd(
      { worker, variables, kv: ["KV"] },
      folder,
      port,
    );
    const server = new BatonServer(await started, adminToken);
    await server.#admin("PUT", "/scopes/read", { description: "Read" });
    return server;
  }

  /** Ends it, and leaves what it has stored for whoever looks into it. */
  async end(): Promise<void> {
    await this.#pool.destroy();
    await this.process.stop();
  }

  /** Ends it, and nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await rm(this.process.folder, { recursive: true, force: true });
  }

  async makeClient(): Promise<Client> {
    const record = { client_name: "Scale", scope: "read" };
    const { json } = await this.#admin("POST", "/clients", record);
    const { client_id, client_secret } = json as Client;
    return { client_id, client_secret };
  }

  async login(client: Client, subject: string): Promise<Login> {
    const grant = { client_id: client.client_id, subject };
    const { json } = await this.#admin("POST", "/grants", grant);
    return { client, subject, ...tokensIn(json) };
  }

  /** Refreshes a login and puts the new tokens in the place of the used ones. */
  async refresh(login: Login): Promise<"exchanged" | "unavailable"> {
    const { client, refresh_token, access_token } = login;
    const form = { grant_type: "refresh_token", refresh_token, ...client };
    const { status, text } = await this.#post("/access_token", form);
    if (status === 503) return "unavailable";
    if (status !== 200) throw new WrongAnswer(`A refresh: ${status} ${text}`);
    const next = tokensIn(JSON.parse(text));
    if (
      next.refresh_token === refresh_token ||
      next.access_token === access_token
    )
      throw new WrongAnswer("A refresh gave a token that was there before");
    Object.assign(login, next);
    return "exchanged";
  }

  /** Refreshes a login whose family has ended: it must not work. */
  async refreshInVain({ client, refresh_token }: Login): Promise<void> {
    const form = { grant_type: "refresh_token", refresh_token, ...client };
    const { status, text } = await this.#post("/access_token", form);
    if (status !== 400 || !text.includes('"invalid_grant"'))
      throw new WrongAnswer(`A refresh after the logout: ${status} ${text}`);
  }

  /** Asks about the access token of a login that lives. */
  async introspect({ client, subject, access_token }: Login): Promise<void> {
    const form = { token: access_token, ...client };
    const { status, text } = await this.#post("/introspect", form);
    const answer = (status === 200 ? JSON.parse(text) : {}) as {
      active?: boolean;
      sub?: string;
    };
    if (answer.active !== true || answer.sub !== subject)
      throw new WrongAnswer(`An introspection: ${status} ${text}`);
  }

  /** How many logins a subject has, asked for page by page. */
  async list(subject: string): Promise<number> {
    let [logins, cursor] = [0, ""];
    do {
      const query = cursor && `?cursor=${encodeURIComponent(cursor)}`;
      const path = `/subjects/${subject}/grants${query}`;
      const { json } = await this.#admin("GET", path);
      const page = json as { grants: object[]; cursor?: string };
      logins += page.grants.length;
      cursor = page.cursor ?? "";
    } while (cursor !== "");
    return logins;
  }

  /** Logs a subject out everywhere, as far as one request goes. @returns whether that was all */
  async logOut(subject: string): Promise<boolean> {
    const path = `/subjects/${subject}/grants`;
    return (await this.#admin("DELETE", path)).status === 200;
  }

  async #post(path: string, form: Record<string, string>) {
    const { statusCode, body } = await this.#pool.request({
      path,
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    });
    return { status: statusCode, text: await body.text() };
  }

  /** An admin call that has to succeed; to log out may take several. */
  async #admin(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    record?: object,
  ): Promise<{ status: number; json: unknown }> {
    const { statusCode: status, body } = await this.#pool.request({
      path: `/admin${path}`,
      method,
      headers: {
        authorization: `Bearer ${this.#adminToken}`,
        "content-type": "application/json",
      },
      body: record ? JSON.stringify(record) : null,
    });
    const text = await body.text();
    const isOver = status < 300 || (method === "DELETE" && status === 503);
    if (!isOver) throw new WrongAnswer(`${method} ${path}: ${status} ${text}`);
    return { status, json: JSON.parse(text) };
  }
}

function tokensIn(answer: unknown) {
  const { access_token, refresh_token } = answer as Partial<Login>;
  if (!access_token || !refresh_token?.startsWith("baton_rt_"))
    throw new WrongAnswer("An answer without tokens");
  return { access_token, refresh_token };
}
