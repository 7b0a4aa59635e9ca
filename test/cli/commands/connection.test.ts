import type { RequestListener } from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freshSecrets } from "../../../src/cli/local/dev-vars.ts";
import { LocalServer } from "../../../src/cli/local/local-server.ts";
import { run, stubServer, temporaryProject } from "../support.ts";

const BATON_ADMIN_TOKEN = "the-admin-token-of-a-test";
const list = ["scopes", "list"];
const env = { BATON_ADMIN_TOKEN };

function respondWith(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): RequestListener {
  return (_request, response) => {
    response.writeHead(status, {
      "Content-Type": "application/json",
      ...headers,
    });
    response.end(JSON.stringify(body));
  };
}

function failure(stderr: string) {
  return { code: 1, stdout: "", stderr: `${stderr}\n` };
}

describe("the server's URL", () => {
  test("--url takes precedence over BATON_URL", async () => {
    const named = await stubServer(respondWith(200, { scopes: [] }));
    const other = await stubServer(respondWith(500, {}));
    const { code } = await run(
      "baton",
      [...list, "--url", `http://localhost:${named.port}`],
      { env: { ...env, BATON_URL: `http://localhost:${other.port}` } },
    );
    expect(code).toBe(0);
    expect(named.requests).toEqual(["GET /admin/scopes"]);
    expect(other.requests).toEqual([]);
  });

  test.each([
    "localhost:8787",
    "auth.example.com",
    "ftp://auth.example.com",
    "https://auth.example.com/path",
    "https://user@auth.example.com",
  ])("a URL that is not an origin is a usage error: %s", async (url) => {
    const { code, stdout, stderr } = await run("baton", list, {
      env: { ...env, BATON_URL: url },
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^The server's URL must look like https:/);
  });

  test("a missing server is reported, with what to do", async () => {
    const gone = await LocalServer.launch();
    await gone.stop();
    expect(
      await run("baton", list, { env: { ...env, BATON_URL: gone.url } }),
    ).toEqual(
      failure(
        `There is no server at ${gone.url}. Start one with \`npm run dev\`, or set the URL of yours with --url or BATON_URL.`,
      ),
    );
  });

  test("a server that is not Baton is reported", async () => {
    const { port } = await stubServer((_request, response) => {
      response.end("<h1>Something else</h1>");
    });
    const url = `http://localhost:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      failure(
        `${url} responded (HTTP 200), but not like the admin API of Baton. Check the URL.`,
      ),
    );
  });
});

describe("the admin token", () => {
  test("is sent as a bearer token", async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await stubServer((request, response) => {
      seen.push(request.headers.authorization);
      respondWith(200, { scopes: [] })(request, response);
    });
    await run("baton", [...list, "--url", `http://127.0.0.1:${port}`], { env });
    expect(seen).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);
  });

  test("is never sent over plain http: not even a connection is made", async () => {
    const { port, connections } = await stubServer(
      respondWith(200, { scopes: [] }),
    );
    // An address of this machine that is not a loopback address.
    const url = `http://0.0.0.0:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      failure(
        `The admin token was not sent to ${url}, because without https others on the network could read it. Use https://0.0.0.0:${port}.`,
      ),
    );
    expect(connections()).toBe(0);
  });

  test("is not sent to the target of a redirect", async () => {
    const target = await stubServer(respondWith(200, { scopes: [] }));
    const Location = `http://localhost:${target.port}/admin/scopes`;
    const { port } = await stubServer(respondWith(307, {}, { Location }));
    const url = `http://localhost:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      failure(
        `${url} responded (HTTP 307), but not like the admin API of Baton. It redirects to http://localhost:${target.port}. If that is your server, use that URL with --url. Check the URL.`,
      ),
    );
    expect(target.connections()).toBe(0);
  });

  test("of .dev.vars is not used for a server on another machine", async () => {
    const directory = temporaryProject();
    await writeFile(join(directory, ".dev.vars"), "ADMIN_TOKEN=of-the-laptop");
    expect(
      await run("baton", [...list, "--url", "https://auth.example.com"], {
        directory,
      }),
    ).toEqual(
      failure(
        "There is no admin token. Set the environment variable BATON_ADMIN_TOKEN to the server's ADMIN_TOKEN.",
      ),
    );
  });

  test("is missing without .dev.vars, and the error says how to create one", async () => {
    const directory = temporaryProject();
    const { code, stderr } = await run("baton", list, { directory });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^There is no admin token\. For the local server, `npm run dev` writes one to \.dev\.vars\./,
    );
  });

  test("that an HTTP header cannot carry is refused and not shown", async () => {
    const url = "https://auth.example.com";
    expect(
      await run("baton", [...list, "--url", url], {
        env: { BATON_ADMIN_TOKEN: "two\nlines" },
      }),
    ).toEqual(
      failure(
        "BATON_ADMIN_TOKEN cannot be an admin token, because it contains a space, a line break or a character that is not ASCII. Set it to the server's ADMIN_TOKEN.",
      ),
    );
  });

  test("has no option, because other users could see it", async () => {
    const { code, stderr } = await run("baton", [...list, "--token", "secret"]);
    expect(code).toBe(2);
    expect(stderr).toContain("unknown option '--token'");
  });
});

describe("the error of a real server", () => {
  async function serverWith(secrets: { ADMIN_TOKEN?: string }) {
    const server = await LocalServer.launch({ ...freshSecrets(), ...secrets });
    await server.ready();
    return server;
  }

  test("names the source of a wrong token", async () => {
    const server = await serverWith({});
    const { url } = server;
    try {
      expect(await run("baton", [...list, "--url", url], { env })).toEqual(
        failure(
          `${url} refused the admin token: BATON_ADMIN_TOKEN is not the value of the server's ADMIN_TOKEN. Set BATON_ADMIN_TOKEN to that value.`,
        ),
      );
    } finally {
      await server.stop();
    }
  });

  test("says how to turn the admin API on", async () => {
    const server = await serverWith({ ADMIN_TOKEN: "" });
    const { url } = server;
    try {
      for (const command of [list, ["clients", "show", "web"]]) {
        const { code, stderr } = await run(
          "baton",
          [...command, "--url", url],
          { env },
        );
        expect(code).toBe(1);
        expect(stderr).toMatch(
          /^The admin API of http:\/\/localhost:\d+ is off, because the server has no ADMIN_TOKEN\. To turn it on, set the secret: `npx wrangler secret put ADMIN_TOKEN`/,
        );
      }
    } finally {
      await server.stop();
    }
  });
});

describe("a server that responds with 503", () => {
  const busy = {
    error: "temporarily_unavailable",
    error_description:
      "The server is temporarily unavailable. Try again in a few seconds.",
  };

  test("gets the request again after Retry-After", async () => {
    let received = 0;
    const { port } = await stubServer((request, response) => {
      received += 1;
      const respond =
        received < 3
          ? respondWith(503, busy, { "Retry-After": "0" })
          : respondWith(200, { scopes: [] });
      respond(request, response);
    });
    const { code } = await run(
      "baton",
      [...list, "--url", `http://localhost:${port}`],
      { env },
    );
    expect({ code, received }).toEqual({ code: 0, received: 3 });
  });

  test("gets the request at most three more times", async () => {
    const { port, requests } = await stubServer(
      respondWith(503, busy, { "Retry-After": "0" }),
    );
    const url = `http://localhost:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      failure(busy.error_description),
    );
    expect(requests).toHaveLength(4);
  });

  test("does not get the request again without Retry-After", async () => {
    const { port, requests } = await stubServer(respondWith(503, busy));
    const url = `http://localhost:${port}`;
    expect((await run("baton", [...list, "--url", url], { env })).code).toBe(1);
    expect(requests).toHaveLength(1);
  });
});
