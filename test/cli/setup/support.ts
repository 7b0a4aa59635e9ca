import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleOf } from "../../support/bundled-baton.ts";
import { replaceFile } from "../../support/replace-file.ts";
import { type Outcome, stubServer, temporaryProject } from "../support.ts";
import type { FakeSettings, FakeState, FakeWorker } from "./fake-cloudflare.ts";

/** Runs setup against a Cloudflare that is a file, and a server that answers as what was deployed there would. */

export const ISSUER = "https://auth.example.com";
export const ACCOUNT = { id: "0123456789abcdef", name: "Example" };

interface Records {
  scopes: { scope: string; description: string }[];
  clients: { client_id: string; client_name: string; scope?: string }[];
}

export interface RunSetup {
  env?: NodeJS.Dict<string>;
  /** Lines for the questions. */
  input?: string;
}

export class FakeCloudflare {
  readonly directory = temporaryProject();
  readonly records: Records = { scopes: [], clients: [] };
  /** The status of every answer of the server that was deployed, in order. */
  readonly answers: string[] = [];
  /** Called with each request; true ends setup at once. */
  interrupt: (request: string) => boolean = () => false;
  /** What answers at an address where nothing is deployed. Undefined: nothing. */
  another: string | undefined;
  readonly #file = join(this.directory, "tmp/cloudflare.json");
  readonly settingsFile = join(this.directory, "wrangler.json");
  #port = 0;
  #killSetup: () => void = () => undefined;

  static async start(change: Partial<FakeState> = {}): Promise<FakeCloudflare> {
    const fake = new FakeCloudflare();
    fake.write({
      loggedIn: true,
      accounts: [ACCOUNT],
      workers: {},
      subdomain: "example",
      ...change,
    });
    const { port } = await stubServer((request, response) =>
      fake.#answer(request, response),
    );
    fake.#port = port;
    return fake;
  }

  get state(): FakeState {
    return JSON.parse(readFileSync(this.#file, "utf8")) as FakeState;
  }

  write(state: FakeState): void {
    replaceFile(this.#file, JSON.stringify(state));
  }

  /** The command lines of wrangler, in order. */
  get runs(): string[] {
    const file = `${this.#file}.runs`;
    return existsSync(file)
      ? readFileSync(file, "utf8").trimEnd().split("\n")
      : [];
  }

  worker(name = "baton"): FakeWorker {
    const worker = this.state.workers[name];
    if (!worker) throw new Error(`there is no Worker ${name}`);
    return worker;
  }

  get settings(): FakeSettings {
    return JSON.parse(readFileSync(this.settingsFile, "utf8")) as FakeSettings;
  }

  async setup(
    args: string[],
    { env, input = "" }: RunSetup = {},
  ): Promise<Outcome> {
    const {
      BATON_URL: _url,
      BATON_ADMIN_TOKEN: _token,
      ...inherited
    } = process.env;
    const here = import.meta.dirname;
    const child = spawn(
      process.execPath,
      [bundleOf(this.directory), "setup", ...args],
      {
        cwd: this.directory,
        stdio: "pipe",
        env: {
          ...inherited,
          CLOUDFLARE_ACCOUNT_ID: undefined,
          NODE_OPTIONS: `--import ${pathToFileURL(join(here, "lead-here.ts")).href}`,
          LEAD_HERE: `http://127.0.0.1:${this.#port}`,
          BATON_WRANGLER: join(here, "fake-cloudflare.ts"),
          FAKE_CLOUDFLARE: this.#file,
          ...env,
        },
      },
    );
    this.#killSetup = () => child.kill("SIGKILL");
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
      });
    const [code] = await once(child, "close");
    return { code, ...output };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const issuer = `https://${String(request.headers["x-host"])}`;
    const path = request.url ?? "";
    if (this.interrupt(`${request.method} ${path}`)) {
      this.#killSetup();
      response.destroy();
      return;
    }
    const worker = Object.values(this.state.workers).find(
      ({ deployed }) => deployed?.vars["ISSUER"] === issuer,
    );
    const send = (status: number, body: unknown) => {
      if (worker) this.answers.push(`${status} ${path}`);
      response.writeHead(status).end(JSON.stringify(body));
    };
    if (!worker) {
      if (this.another === undefined) response.destroy();
      else response.end(this.another);
      return;
    }
    const { secrets } = worker;
    const isWell = secrets["PRIVATE_KEY"] && secrets["ENCRYPTION_KEY"];
    const isAdmin =
      request.headers.authorization === `Bearer ${secrets["ADMIN_TOKEN"]}`;
    if (path === "/health") {
      const problems = [{ name: "PRIVATE_KEY", problem: "is not set" }];
      if (isWell) send(200, { status: "ok" });
      else send(503, { status: "failing", ...(isAdmin && { problems }) });
    } else if (!isWell) send(500, { error: "server_error" });
    else if (path === "/.well-known/oauth-authorization-server")
      send(200, { issuer });
    else if (!isAdmin) send(401, { error: "invalid_token" });
    else this.#admin(request, path, send);
  }

  #admin(
    request: IncomingMessage,
    path: string,
    send: (status: number, body: unknown) => void,
  ): void {
    const { records } = this;
    if (request.method === "GET") {
      send(200, records);
      return;
    }
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      const body = JSON.parse(text) as never;
      if (path === "/admin/clients") {
        const client: Records["clients"][number] = Object.assign(
          { client_id: `client-${records.clients.length + 1}` },
          body,
        );
        records.clients.push(client);
        send(201, { ...client, client_secret: "baton_cs_secret" });
      } else {
        const scope = decodeURIComponent(path.split("/")[3] ?? "");
        records.scopes.push(Object.assign({ scope }, body));
        send(200, records.scopes.at(-1));
      }
    });
  }
}
