import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { createTestHarness } from "wrangler";

/** What a Worker of the test harness answers with. */
export type WorkerFetch = ReturnType<
  ReturnType<typeof createTestHarness>["getWorker"]
>["fetch"];

/** A site of this machine with a port of its own. What answers may be chosen later, when the port is known. */
export class Site {
  readonly url: string;
  readonly #server;

  static async open(): Promise<Site> {
    const server = createServer().listen(0, "localhost");
    await once(server, "listening");
    return new Site(server);
  }

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://localhost:${port}`;
  }

  answer(listener: RequestListener): void {
    this.#server.on("request", listener);
  }

  /** Answers with a Worker of a test harness, so that it has this port alone, and a binding to the others. */
  serve(fetch: WorkerFetch): void {
    this.answer((request, response) => {
      void (async () => {
        const answer = await fetch(this.url + (request.url ?? "/"), {
          method: request.method ?? "GET",
          headers: request.headers as Record<string, string>,
          redirect: "manual",
          ...(request.method === "GET" || request.method === "HEAD"
            ? {}
            : { body: await buffer(request) }),
        });
        for (const [name, value] of answer.headers)
          if (
            !/^(?:content-encoding|content-length|transfer-encoding)$/.test(
              name,
            )
          )
            response.appendHeader(name, value);
        response.writeHead(answer.status);
        response.flushHeaders();
        if (answer.body)
          await pipeline(Readable.fromWeb(answer.body), response);
        else response.end();
      })().catch(() => response.destroy());
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
