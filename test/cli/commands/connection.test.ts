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

function answer(
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

function refused(stderr: string) {
  return { code: 1, stdout: "", stderr: `${stderr}\n` };
}

describe("which server", () => {
  test("--url goes before BATON_URL", async () => {
    const named = await stubServer(answer(200, { scopes: [] }));
    const other = await stubServer(answer(500, {}));
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
  ])("a URL that is no origin is a usage error: %s", async (url) => {
    const { code, stdout, stderr } = await run("baton", list, {
      env: { ...env, BATON_URL: url },
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^The server's URL has to be one such as https:/);
  });

  test("no server there is said, and what to do", async () => {
    const gone = await LocalServer.launch();
    await gone.stop();
    expect(
      await run("baton", list, { env: { ...env, BATON_URL: gone.url } }),
    ).toEqual(
      refused(
        `There is no server at ${gone.url}. Start one with \`npm run dev\`, or name yours with --url or BATON_URL.`,
      ),
    );
  });

  test("a server that is not Baton is said to be none", async () => {
    const { port } = await stubServer((_request, response) => {
      response.end("<h1>Something else</h1>");
    });
    const url = `http://localhost:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      refused(
        `${url} answers, but not as Baton's admin API does (HTTP 200). Is it the right server?`,
      ),
    );
  });
});

describe("the admin token", () => {
  test("is sent as a bearer token", async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await stubServer((request, response) => {
      seen.push(request.headers.authorization);
      answer(200, { scopes: [] })(request, response);
    });
    await run("baton", [...list, "--url", `http://127.0.0.1:${port}`], { env });
    expect(seen).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);
  });

  test("never travels over plain http: not even a connection is made", async () => {
    const { port, connections } = await stubServer(answer(200, { scopes: [] }));
    // This machine, by an address that is not a loopback one.
    const url = `http://0.0.0.0:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      refused(
        `The admin token is not sent to ${url}: without https anybody on the way could read it. Use https://0.0.0.0:${port}.`,
      ),
    );
    expect(connections()).toBe(0);
  });

  test("is not carried along by a redirect", async () => {
    const target = await stubServer(answer(200, { scopes: [] }));
    const Location = `http://localhost:${target.port}/admin/scopes`;
    const { port } = await stubServer(answer(307, {}, { Location }));
    const url = `http://localhost:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      refused(
        `${url} answers, but not as Baton's admin API does (HTTP 307). It points to http://localhost:${target.port}; if that is your server, name it with --url. Is it the right server?`,
      ),
    );
    expect(target.connections()).toBe(0);
  });

  test("is wanted by name for a server elsewhere", async () => {
    const directory = temporaryProject();
    await writeFile(join(directory, ".dev.vars"), "ADMIN_TOKEN=of-the-laptop");
    expect(
      await run("baton", [...list, "--url", "https://auth.example.com"], {
        directory,
      }),
    ).toEqual(
      refused(
        "There is no admin token. Put the server's ADMIN_TOKEN into the environment variable BATON_ADMIN_TOKEN.",
      ),
    );
  });

  test("is missed with words on what makes one, where there is no .dev.vars", async () => {
    const directory = temporaryProject();
    const { code, stderr } = await run("baton", list, { directory });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^There is no admin token\. `npm run dev` writes one to \.dev\.vars;/,
    );
  });

  test("that no header can carry is refused without being shown", async () => {
    const url = "https://auth.example.com";
    expect(
      await run("baton", [...list, "--url", url], {
        env: { BATON_ADMIN_TOKEN: "two\nlines" },
      }),
    ).toEqual(
      refused(
        "BATON_ADMIN_TOKEN cannot be an admin token: it has a space, a line break or a character that is not ASCII.",
      ),
    );
  });

  test("has no option: it would be seen by others", async () => {
    const { code, stderr } = await run("baton", [...list, "--token", "secret"]);
    expect(code).toBe(2);
    expect(stderr).toContain("unknown option '--token'");
  });
});

describe("what a real server says to it", () => {
  async function serverWith(secrets: { ADMIN_TOKEN?: string }) {
    const server = await LocalServer.launch({ ...freshSecrets(), ...secrets });
    await server.ready();
    return server;
  }

  test("a wrong token: which one it was", async () => {
    const server = await serverWith({});
    const { url } = server;
    try {
      expect(await run("baton", [...list, "--url", url], { env })).toEqual(
        refused(
          `${url} does not accept the admin token: BATON_ADMIN_TOKEN is not the server's ADMIN_TOKEN.`,
        ),
      );
    } finally {
      await server.stop();
    }
  });

  test("the API is off: how to turn it on", async () => {
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
          /^The admin API of http:\/\/localhost:\d+ is off\. Turn it on by setting its secret: `npx wrangler secret put ADMIN_TOKEN`/,
        );
      }
    } finally {
      await server.stop();
    }
  });
});

describe("a server that is busy for a moment", () => {
  const busy = {
    error: "temporarily_unavailable",
    error_description: "The server cannot do this right now. Try again.",
  };

  test("is asked again after Retry-After", async () => {
    let asked = 0;
    const { port } = await stubServer((request, response) => {
      asked += 1;
      const respond =
        asked < 3
          ? answer(503, busy, { "Retry-After": "0" })
          : answer(200, { scopes: [] });
      respond(request, response);
    });
    const { code } = await run(
      "baton",
      [...list, "--url", `http://localhost:${port}`],
      { env },
    );
    expect({ code, asked }).toEqual({ code: 0, asked: 3 });
  });

  test("is asked three times again at most", async () => {
    const { port, requests } = await stubServer(
      answer(503, busy, { "Retry-After": "0" }),
    );
    const url = `http://localhost:${port}`;
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      refused(busy.error_description),
    );
    expect(requests).toHaveLength(4);
  });

  test("that does not say when is not asked again", async () => {
    const { port, requests } = await stubServer(answer(503, busy));
    const url = `http://localhost:${port}`;
    expect((await run("baton", [...list, "--url", url], { env })).code).toBe(1);
    expect(requests).toHaveLength(1);
  });
});
