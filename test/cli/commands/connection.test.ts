import type { RequestListener } from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PrebuiltServer } from "../../support/prebuilt-server.ts";
import { run, stubServer, temporaryProject } from "../support.ts";

const BATON_ADMIN_TOKEN = "the-admin-token-of-a-test";
const list = ["scopes", "list"];

/** The environment of an operator: a server, and the token that is for it. */
function operatorOf(url: string) {
  return { BATON_URL: url, BATON_ADMIN_TOKEN };
}

/** A checkout whose .dev.vars has this admin token. */
async function checkoutWith(token: string): Promise<string> {
  const directory = temporaryProject();
  await writeFile(join(directory, ".dev.vars"), `ADMIN_TOKEN=${token}`);
  return directory;
}

/** A server that keeps the Authorization header of each request. */
async function recordingServer() {
  const tokens: (string | undefined)[] = [];
  const { port, connections } = await stubServer((request, response) => {
    tokens.push(request.headers.authorization);
    respondWith(200, { scopes: [] })(request, response);
  });
  return { port, connections, tokens };
}

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

test("the admin token in .dev.vars is sent without the quotes around it, as the server takes it", async () => {
  const { port, tokens } = await recordingServer();
  const directory = await checkoutWith(`'"${BATON_ADMIN_TOKEN}" '`);
  await run("baton", [...list, "--url", `http://localhost:${port}`], {
    directory,
  });
  expect(tokens).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);
});

describe("the server's URL", () => {
  test("--url takes precedence over BATON_URL", async () => {
    const named = await recordingServer();
    const other = await recordingServer();
    const { code } = await run(
      "baton",
      [...list, "--url", `http://localhost:${named.port}`],
      {
        directory: await checkoutWith("of-the-laptop"),
        env: operatorOf(`http://localhost:${other.port}`),
      },
    );
    expect(code).toBe(0);
    expect(named.tokens).toHaveLength(1);
    expect(other.connections()).toBe(0);
  });

  test.each([
    "localhost:8787",
    "auth.example.com",
    "ftp://auth.example.com",
    "https://auth.example.com/path",
    "https://auth.example.com?tenant=a",
    "https://user:hunter2@auth.example.com",
  ])("a URL that is not an origin is a usage error: %s", async (url) => {
    for (const [source, args, env] of [
      ["BATON_URL", list, operatorOf(url)],
      ["--url", [...list, "--url", url], { BATON_ADMIN_TOKEN }],
    ] as const) {
      expect(await run("baton", [...args], { env })).toEqual({
        code: 2,
        stdout: "",
        stderr: `The server's URL must look like https://auth.example.com, without a path or a user name. The one in ${source} does not.\n`,
      });
    }
  });

  test("a missing server is reported, with what to do", async () => {
    const gone = await PrebuiltServer.start();
    await gone.stop();
    expect(await run("baton", list, { env: operatorOf(gone.url) })).toEqual(
      failure(
        `There is no server at ${gone.url}. Start one with \`npm run dev\`, or set BATON_URL to the URL of yours.`,
      ),
    );
  });

  test("a server that is not Baton is reported", async () => {
    const { port } = await stubServer((_request, response) => {
      response.end("<h1>Something else</h1>");
    });
    const url = `http://localhost:${port}`;
    expect(await run("baton", list, { env: operatorOf(url) })).toEqual(
      failure(
        `${url} responded (HTTP 200), but not like the admin API of Baton. Check the URL.`,
      ),
    );
  });
});

describe("the admin token in the environment", () => {
  test.each(["localhost", "127.0.0.1", "0x7f.1", "[::1]"])(
    "is sent to the server in BATON_URL, without https too if it is this machine: %s",
    async (host) => {
      const { port, tokens } = await recordingServer();
      const env = operatorOf(`http://${host}:${port}`);
      expect(await run("baton", list, { env })).toMatchObject({
        code: 0,
        stderr: "",
      });
      expect(tokens).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);
    },
  );

  test("is preferred to the one in .dev.vars for the server in BATON_URL", async () => {
    const { port, tokens } = await recordingServer();
    const directory = await checkoutWith("of-the-laptop");
    const env = operatorOf(`http://localhost:${port}`);
    await run("baton", list, { directory, env });
    expect(tokens).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);
  });

  test("is sent if --url names the server in BATON_URL in another spelling", async () => {
    const { port, tokens } = await recordingServer();
    const env = operatorOf(`http://127.0.0.1:${port}`);
    await run("baton", [...list, "--url", `HTTP://127.1:${port}/`], { env });
    expect(tokens).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);
  });

  test.each([undefined, ""])(
    "is sent nowhere while BATON_URL is %j, and the local server is not meant either",
    async (BATON_URL) => {
      const directory = await checkoutWith("of-the-laptop");
      const env = { BATON_ADMIN_TOKEN, BATON_URL };
      expect(await run("baton", list, { directory, env })).toEqual(
        failure(
          "BATON_ADMIN_TOKEN is set and BATON_URL is not, so it is unknown which server the token is for. Set BATON_URL to the URL of that server. For the local server, use --url http://localhost:8787, which takes the token from .dev.vars.",
        ),
      );
    },
  );

  test.each([
    ["is not set", undefined],
    ["names another server", "https://auth.example.com"],
    ["names another port", "http://localhost:1"],
  ])(
    "is not sent to the server in --url while BATON_URL %s",
    async (_what, BATON_URL) => {
      const { port, connections } = await recordingServer();
      const url = `http://localhost:${port}`;
      const directory = temporaryProject();
      const env = { BATON_ADMIN_TOKEN, BATON_URL };
      expect(
        await run("baton", [...list, "--url", url], { directory, env }),
      ).toEqual(
        failure(
          `There is no admin token for ${url}. BATON_ADMIN_TOKEN was not sent, because BATON_URL does not name this server. If the token is for this server, set BATON_URL to ${url}. For the local server, \`npm run dev\` writes a token to .dev.vars.`,
        ),
      );
      expect(connections()).toBe(0);
    },
  );

  test("is not sent to the server in --url on another machine", async () => {
    const url = "https://auth.example.org";
    const env = operatorOf("https://auth.example.com");
    expect(await run("baton", [...list, "--url", url], { env })).toEqual(
      failure(
        `There is no admin token for ${url}. BATON_ADMIN_TOKEN was not sent, because BATON_URL does not name this server. If the token is for this server, set BATON_URL to ${url}.`,
      ),
    );
  });

  test("is not sent to a local server in --url: that one gets the token in .dev.vars", async () => {
    const { port, tokens } = await recordingServer();
    await run("baton", [...list, "--url", `http://localhost:${port}`], {
      directory: await checkoutWith("of-the-laptop"),
      env: operatorOf("https://auth.example.com"),
    });
    expect(tokens).toEqual(["Bearer of-the-laptop"]);
  });

  test.each(["localhost.example.com", "127.0.0.1.example.com", "[::]"])(
    "is not sent over plain http to a server that only looks like this machine: %s",
    async (host) => {
      const url = `http://${host}`;
      expect(await run("baton", list, { env: operatorOf(url) })).toEqual(
        failure(
          `The admin token was not sent to ${url}, because without https others on the network can read it. Use https://${host}. On a network that you trust, add --insecure.`,
        ),
      );
    },
  );

  test("is not sent over plain http: not even a connection is made", async () => {
    const { port, connections } = await recordingServer();
    // An address of this machine that is not a loopback address.
    const url = `http://0.0.0.0:${port}`;
    expect(await run("baton", list, { env: operatorOf(url) })).toEqual(
      failure(
        `The admin token was not sent to ${url}, because without https others on the network can read it. Use https://0.0.0.0:${port}. On a network that you trust, add --insecure.`,
      ),
    );
    expect(connections()).toBe(0);
  });

  test("is sent over plain http with --insecure, and to no other server even then", async () => {
    const { port, tokens } = await recordingServer();
    const url = `http://0.0.0.0:${port}`;
    const insecure = [...list, "--insecure"];
    const { code } = await run("baton", insecure, { env: operatorOf(url) });
    expect(code).toBe(0);
    expect(tokens).toEqual([`Bearer ${BATON_ADMIN_TOKEN}`]);

    const other = await run("baton", [...insecure, "--url", url], {
      directory: await checkoutWith("of-the-laptop"),
      env: operatorOf("https://auth.example.com"),
    });
    expect(other.code).toBe(1);
    expect(tokens).toHaveLength(1);
  });

  test("is not sent to the target of a redirect", async () => {
    const target = await stubServer(respondWith(200, { scopes: [] }));
    const Location = `http://localhost:${target.port}/admin/scopes`;
    const { port } = await stubServer(respondWith(307, {}, { Location }));
    const url = `http://localhost:${port}`;
    expect(await run("baton", list, { env: operatorOf(url) })).toEqual(
      failure(
        `${url} responded (HTTP 307), but not like the admin API of Baton. It redirects to http://localhost:${target.port}. If that is your server, use that URL. Check the URL.`,
      ),
    );
    expect(target.connections()).toBe(0);
  });

  test("is sent without the quotes and white space around it, as the server takes it", async () => {
    const { port, tokens } = await recordingServer();
    const url = `http://localhost:${port}`;
    for (const wrapped of [
      `"${BATON_ADMIN_TOKEN}"`,
      `'${BATON_ADMIN_TOKEN}'\n`,
      ` ${BATON_ADMIN_TOKEN}\r\n`,
    ]) {
      const env = { BATON_URL: url, BATON_ADMIN_TOKEN: wrapped };
      expect((await run("baton", list, { env })).stderr).toBe("");
    }
    expect(new Set(tokens)).toEqual(new Set([`Bearer ${BATON_ADMIN_TOKEN}`]));
    expect(tokens).toHaveLength(3);
  });

  test("of quotes and white space alone is not set", async () => {
    const { port, connections } = await recordingServer();
    const url = `http://localhost:${port}`;
    const env = { BATON_URL: url, BATON_ADMIN_TOKEN: '"" ' };
    const directory = temporaryProject();
    const { code, stderr } = await run("baton", list, { directory, env });
    expect(code).toBe(1);
    expect(stderr).toContain(`There is no admin token for ${url}.`);
    expect(connections()).toBe(0);
  });

  test("that an HTTP header cannot carry is refused and not shown", async () => {
    expect(
      await run("baton", list, {
        env: {
          BATON_URL: "https://auth.example.com",
          BATON_ADMIN_TOKEN: "two\nlines",
        },
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

describe("the admin token in .dev.vars", () => {
  test("is sent to a server on this machine that BATON_URL names without a token", async () => {
    const { port, tokens } = await recordingServer();
    const directory = await checkoutWith("of-the-laptop");
    const env = { BATON_URL: `http://localhost:${port}` };
    await run("baton", list, { directory, env });
    expect(tokens).toEqual(["Bearer of-the-laptop"]);
  });

  test("is not sent to a server on another machine", async () => {
    const directory = await checkoutWith("of-the-laptop");
    const url = "https://auth.example.com";
    for (const options of [
      { args: [...list, "--url", url], env: {} },
      { args: list, env: { BATON_URL: url } },
    ])
      expect(
        await run("baton", options.args, { directory, env: options.env }),
      ).toEqual(
        failure(
          `There is no admin token for ${url}. Set the environment variables BATON_URL to ${url} and BATON_ADMIN_TOKEN to the server's ADMIN_TOKEN.`,
        ),
      );
  });

  test("is missing without the file, and the error says how to create one", async () => {
    const directory = temporaryProject();
    expect(await run("baton", list, { directory })).toEqual(
      failure(
        "There is no admin token for http://localhost:8787. For the local server, `npm run dev` writes a token to .dev.vars. For another server, set the environment variables BATON_URL to its URL and BATON_ADMIN_TOKEN to its ADMIN_TOKEN.",
      ),
    );
  });
});

describe("the error of a real server", () => {
  function serverWith(secrets: { ADMIN_TOKEN?: string }) {
    return PrebuiltServer.start({ secrets });
  }

  test("names the source of a wrong token", async () => {
    const server = await serverWith({});
    const { url } = server;
    try {
      expect(await run("baton", list, { env: operatorOf(url) })).toEqual(
        failure(
          `${url} refused the admin token: BATON_ADMIN_TOKEN is neither the server's ADMIN_TOKEN nor one of its admin tokens. Set BATON_ADMIN_TOKEN to one of them, and BATON_URL to ${url}.`,
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
        const { code, stderr } = await run("baton", command, {
          env: operatorOf(url),
        });
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
    const { code } = await run("baton", list, {
      env: operatorOf(`http://localhost:${port}`),
    });
    expect({ code, received }).toEqual({ code: 0, received: 3 });
  });

  test("gets the request at most three more times", async () => {
    const { port, requests } = await stubServer(
      respondWith(503, busy, { "Retry-After": "0" }),
    );
    const url = `http://localhost:${port}`;
    expect(await run("baton", list, { env: operatorOf(url) })).toEqual(
      failure(busy.error_description),
    );
    expect(requests).toHaveLength(4);
  });

  test("does not get the request again without Retry-After", async () => {
    const { port, requests } = await stubServer(respondWith(503, busy));
    const url = `http://localhost:${port}`;
    expect((await run("baton", list, { env: operatorOf(url) })).code).toBe(1);
    expect(requests).toHaveLength(1);
  });
});
