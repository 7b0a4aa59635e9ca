import type { z } from "zod";
import { AdminClient, type AdminRequest } from "./admin-client.ts";
import { type Connection, findConnection } from "./connection.ts";
import { say, toJson } from "../output.ts";

/** What the options of the whole program say. */
export interface ProgramOptions {
  url?: string;
  json?: boolean;
}

/** What every command does: ask the server that the options name, and show the answer their way. */
export class Session {
  readonly #options: () => ProgramOptions;
  readonly #devVarsPath: string;

  /** @param options read late: they are known only when the command line has been parsed */
  constructor(options: () => ProgramOptions, devVarsPath: string) {
    this.#options = options;
    this.#devVarsPath = devVarsPath;
  }

  /** @throws Failure, with what to do about it */
  async ask<S extends z.ZodType>(
    request: AdminRequest<S>,
  ): Promise<z.output<S>> {
    return new AdminClient(await this.#connection()).ask(request);
  }

  /** The server's URL: what can't be undone says where it was done. @throws Failure */
  async server(): Promise<string> {
    return (await this.#connection()).url;
  }

  #connection(): Promise<Connection> {
    const { url } = this.#options();
    return findConnection(url, process.env, this.#devVarsPath);
  }

  /** Page after page of a list, for as long as the API says that there is more. */
  async askEveryPage<S extends z.ZodType<{ cursor?: string | undefined }>>(
    path: string[],
    page: S,
  ): Promise<z.output<S>[]> {
    const pages: z.output<S>[] = [];
    let cursor: string | undefined;
    do {
      const query = cursor === undefined ? {} : { cursor };
      const next = await this.ask({ method: "GET", path, query, answer: page });
      pages.push(next);
      ({ cursor } = next);
    } while (cursor !== undefined);
    return pages;
  }

  /** As JSON with --json, else in the words that `describe` finds. */
  show<T>(answer: T, describe: (answer: T) => string): void {
    say(this.#options().json ? toJson(answer) : describe(answer));
  }
}
