import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { type Connection, isLoopback } from "../commands/connection.ts";
import { BASE_FILE, settingsFile } from "../local/settings-file.ts";
import { connectionError } from "../commands/connection-error.ts";
import { devVarsPath } from "../local/wrangler.ts";

/** Longer than the server's own limit for `POST /admin/doctor`. */
const REQUEST_TIMEOUT_MS = 20_000;

/** An answer of the server. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Undefined: it is not JSON. */
  json: unknown;
  /** When the request was sent and the answer came, in milliseconds since 1970 by the clock of this machine. */
  sentAt: number;
  receivedAt: number;
}

/** The server that is examined. */
export class Patient {
  readonly connection: Connection;
  readonly isLocal: boolean;

  constructor(connection: Connection) {
    this.connection = connection;
    this.isLocal = isLoopback(new URL(connection.url).hostname);
  }

  /** The file with the settings of the server. */
  get settings(): string {
    const file = settingsFile();
    return this.isLocal && file !== BASE_FILE
      ? `${BASE_FILE} (${file}, if the server was started with plain \`npx wrangler dev\`)`
      : file;
  }

  /** The file in which a variable is set or can be set. A local server takes the value in `.dev.vars` before that of the settings. */
  fileOf(variable: string): string {
    const isInDevVars =
      this.isLocal &&
      existsSync(devVarsPath) &&
      Object.hasOwn(parseEnv(readFileSync(devVarsPath, "utf8")), variable);
    return isInDevVars ? ".dev.vars" : this.settings;
  }

  /** How a change of a file gets to the server. */
  get restart(): string {
    return this.isLocal ? "start the server again" : "`npx wrangler deploy`";
  }

  get url(): string {
    return this.connection.url;
  }

  /** Sends a request without a token. @throws Failure if there is no answer */
  ask(path: string, init: RequestInit = {}): Promise<Answer> {
    return this.#send(this.#at(path), init);
  }

  /** Sends a request with the admin token, to this server only. @throws Failure if there is no answer */
  askAsAdministrator(path: string, method = "GET"): Promise<Answer> {
    const headers = { Authorization: `Bearer ${this.connection.token}` };
    return this.#send(this.#at(path), { method, headers });
  }

  /** Asks an address that the server has named, without a token. Undefined: there is no answer. */
  async askElsewhere(url: string): Promise<Answer | undefined> {
    return this.#send(new URL(url), {}).catch(() => undefined);
  }

  /** A path at this server. It may come from the server, so it must not lead to another one (`//host`). */
  #at(path: string): URL {
    const target = new URL(this.url);
    target.pathname = path;
    return target;
  }

  async #send(target: URL, init: RequestInit): Promise<Answer> {
    const sentAt = Date.now();
    try {
      const response = await fetch(target, {
        ...init,
        redirect: "manual",
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const receivedAt = Date.now();
      const text = await response.text();
      const { status, headers } = response;
      return { status, headers, json: parse(text), sentAt, receivedAt };
    } catch (error) {
      throw connectionError(this.connection, error, REQUEST_TIMEOUT_MS);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
