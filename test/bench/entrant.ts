import { mkdir } from "node:fs/promises";
import type { BenchClient, Contender } from "./contender.ts";
import type { ServerProcess } from "./server-process.ts";

/** A contender with its server, which may end and start again, and go on with what it has stored. */
export class Entrant {
  readonly contender: Contender;
  /** The one that rotates. */
  readonly client: BenchClient;
  /** Where it keeps all that it stores. */
  readonly folder: string;
  readonly #port: number;
  #server: ServerProcess;

  private constructor(
    contender: Contender,
    server: ServerProcess,
    client: BenchClient,
    port: number,
  ) {
    this.contender = contender;
    this.client = client;
    this.folder = server.folder;
    this.#port = port;
    this.#server = server;
  }

  static async start(
    contender: Contender,
    folder: string,
    port: number,
  ): Promise<Entrant> {
    await mkdir(folder, { recursive: true });
    const server = await contender.start(folder, port);
    const client = await contender.prepare(server);
    return new Entrant(contender, server, client, port);
  }

  get name(): string {
    return this.contender.name;
  }

  get server(): ServerProcess {
    return this.#server;
  }

  /** Starts it again, on the same folder and port. */
  async startAgain(): Promise<void> {
    this.#server = await this.contender.start(this.folder, this.#port);
  }
}
