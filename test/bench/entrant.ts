import { mkdir } from "node:fs/promises";
import type { BenchClient, Contender } from "./contender.ts";
import type { ServerProcess } from "./server-process.ts";

/** A contender with its running server, which can be stopped and started again with the same data. */
export class Entrant {
  readonly contender: Contender;
  /** The client whose refreshes are measured. */
  readonly client: BenchClient;
  /** The folder in which the server stores its data. */
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

  /** Starts the server again, with the same folder and port. */
  async startAgain(): Promise<void> {
    this.#server = await this.contender.start(this.folder, this.#port);
  }
}
