import type { z } from "zod";
import {
  AdminClient,
  type AdminRequest,
  type Health,
  type Tagged,
} from "./admin-client.ts";
import {
  type Connection,
  type ConnectionOptions,
  findConnection,
} from "./connection.ts";
import { problemLines } from "./problem-lines.ts";
import { isQuiet, say, toJson, warn } from "../output.ts";
import { readProfile } from "../profiles.ts";
import { quote } from "../shell.ts";

/** The global options. */
export interface ProgramOptions extends ConnectionOptions {
  json?: boolean;
  quiet?: boolean;
  yes?: boolean;
}

/** The part that all commands share: a request to the chosen server, and the output of the response. */
export class Session {
  readonly #options: () => ProgramOptions;
  readonly #devVarsPath: string;

  /** @param options a function, because the options are known only after the command line is parsed */
  constructor(options: () => ProgramOptions, devVarsPath: string) {
    this.#options = options;
    this.#devVarsPath = devVarsPath;
  }

  /** Sends a request to the admin API. @throws Failure with what to do */
  async request<S extends z.ZodType>(
    request: AdminRequest<S>,
  ): Promise<z.output<S>> {
    return new AdminClient(await this.connection()).request(request);
  }

  /** As `request`, and returns the ETag of the response as well. */
  async requestTagged<S extends z.ZodType>(
    request: AdminRequest<S>,
  ): Promise<Tagged<z.output<S>>> {
    return new AdminClient(await this.connection()).requestTagged(request);
  }

  /** True: the result is JSON, for scripts. */
  get isJson(): boolean {
    return this.#options().json === true;
  }

  /** Asks for the server's health. @throws Failure if there is no answer of Baton */
  async health(): Promise<Health> {
    return new AdminClient(await this.connection()).health();
  }

  /** Says why a server cannot work, with a line for each problem. @throws Failure if there is no answer of Baton */
  async whyFailing({ problems = [] }: Health): Promise<string[]> {
    if (problems.length > 0) return problemLines(problems);
    const connection = await this.connection();
    const advice = await new AdminClient(connection).missingKeysAdvice();
    return [
      advice ??
        `The server names what is wrong only to an administrator, and did not take the token that was sent (${connection.tokenSource}) for one of theirs: it is another one, or has the role login, or the server has no ADMIN_TOKEN. The server's log names what is wrong, too.`,
    ];
  }

  /** The server's URL. Commands that cannot be undone print it. @throws Failure */
  async serverUrl(): Promise<string> {
    return (await this.connection()).url;
  }

  /** The environment of the settings that belongs to the profile in --env. Undefined: the top of the file. */
  async wranglerEnvironment(): Promise<string | undefined> {
    const { env } = this.#options();
    if (env === undefined) return undefined;
    return (await readProfile(env, process.env)).wrangler_env;
  }

  /** A command line to run next, at the same server: the options that chose the server are repeated. */
  commandLine(command: string): string {
    const { url, env } = this.#options();
    const server = [
      ...(url === undefined ? [] : [`--url ${quote(url)} `]),
      ...(env === undefined ? [] : [`--env ${quote(env)} `]),
    ];
    return `npm run baton -- ${server.join("")}${command}`;
  }

  /** The server, and the admin token for it. @throws Failure */
  connection(): Promise<Connection> {
    return findConnection(this.#options(), process.env, this.#devVarsPath);
  }

  /** Requests all pages of a list. */
  async requestAllPages<S extends z.ZodType<{ cursor?: string | undefined }>>(
    path: string[],
    schema: S,
    filter: Record<string, string> = {},
  ): Promise<z.output<S>[]> {
    return Array.fromAsync(this.pages(path, schema, filter));
  }

  /** Requests a list, one page after another. The API sends a cursor while there are more. */
  async *pages<S extends z.ZodType<{ cursor?: string | undefined }>>(
    path: string[],
    schema: S,
    query: Record<string, string> = {},
  ): AsyncGenerator<z.output<S>, void> {
    let cursor: string | undefined;
    do {
      const next = cursor === undefined ? query : { ...query, cursor };
      const page = await this.request({
        method: "GET",
        path,
        query: next,
        schema,
      });
      yield page;
      ({ cursor } = page);
    } while (cursor !== undefined);
  }

  /** Prints the result: as JSON with --json, else as `format` writes it. */
  print<T>(result: T, format: (result: T) => string): void {
    say(this.#options().json ? toJson(result) : format(result));
  }

  /** Prints that something was done: as JSON with --json, else as a sentence, and with --quiet not at all. */
  done<T>(result: T, sentence: (result: T) => string): void {
    if (this.#options().json || !isQuiet()) this.print(result, sentence);
  }

  /** Writes warnings to standard error. With --json they are a part of the result, so it writes nothing. */
  warn(warnings: string[] = []): void {
    if (this.#options().json) return;
    for (const warning of warnings) warn(warning);
  }
}
