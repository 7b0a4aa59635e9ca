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
 * The folder in memory where the server stores its data, if the machine has it. A disk would make workerd's
 * one thread wait for each write, which Cloudflare's storage does not, and a shared disk varies in speed.
 */
const memoryFolder = "/dev/shm";

/** How many connections the generator opens. Further requests wait in the generator. */
const CONNECTIONS = 256;

/** The credentials of a confidential client. */
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

/** The server gave an answer that it must not give, so the run is invalid. */
export class WrongAnswer extends Error {}

/**
 * Baton as `wrangler deploy` builds it, on bare workerd, with its own storage. Each method checks the answer
 * and throws WrongAnswer.
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

  /** @param withSlowKv each call of KV takes some time, as at Cloudflare */
  static async start(port: number, withSlowKv = false): Promise<BatonServer> {
    const root = existsSync(memoryFolder) ? memoryFolder : tmpdir();
    const folder = await mkdtemp(join(root, "baton-scale-"));
    const worker = await buildUpload(wranglerToml, folder);
    // An upload with the name of the usual KV replaces it.
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

  /** Stops the server and keeps its data, so that a scenario can read it. */
  async end(): Promise<void> {
    await this.#pool.destroy();
    await this.process.stop();
  }

  /** Stops the server and removes its data. */
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

  /** Refreshes a login and replaces its used tokens. */
  async refresh(login: Login): Promise<"exchanged" | "unavailable"> {
    const { client, refresh_token, access_token } = login;
    const form = { grant_type: "refresh_token", refresh_token, ...client };
    const { status, text } = await this.#post("/access_token", form);
    if (status === 503) return "unavailable";
    if (status !== 200)
      throw new WrongAnswer(`A refresh failed: ${status} ${text}`);
    const next = tokensIn(JSON.parse(text));
    if (
      next.refresh_token === refresh_token ||
      next.access_token === access_token
    )
      throw new WrongAnswer("A refresh returned a token that is not new");
    Object.assign(login, next);
    return "exchanged";
  }

  /** Refreshes a login whose family has ended. The refresh must be refused. */
  async expectRefreshRefused({ client, refresh_token }: Login): Promise<void> {
    const form = { grant_type: "refresh_token", refresh_token, ...client };
    const { status, text } = await this.#post("/access_token", form);
    if (status !== 400 || !text.includes('"invalid_grant"'))
      throw new WrongAnswer(
        `A refresh after the logout was not refused: ${status} ${text}`,
      );
  }

  /** Introspects the access token of a live login. */
  async introspect({ client, subject, access_token }: Login): Promise<void> {
    const form = { token: access_token, ...client };
    const { status, text } = await this.#post("/introspect", form);
    const answer = (status === 200 ? JSON.parse(text) : {}) as {
      active?: boolean;
      sub?: string;
    };
    if (answer.active !== true || answer.sub !== subject)
      throw new WrongAnswer(`An introspection failed: ${status} ${text}`);
  }

  /** Lists the logins of a subject, page by page. @returns their number */
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

  /** Logs a subject out everywhere with one request. @returns true if no login is left */
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

  /** An admin call that must succeed. A logout may answer 503, because it may take several requests. */
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
    const isExpected = status < 300 || (method === "DELETE" && status === 503);
    if (!isExpected)
      throw new WrongAnswer(`${method} ${path}: ${status} ${text}`);
    return { status, json: JSON.parse(text) };
  }
}

function tokensIn(answer: unknown) {
  const { access_token, refresh_token } = answer as Partial<Login>;
  if (!access_token || !refresh_token?.startsWith("baton_rt_"))
    throw new WrongAnswer("The answer has no tokens");
  return { access_token, refresh_token };
}
