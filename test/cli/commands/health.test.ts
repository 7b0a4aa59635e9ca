import { describe, expect, test } from "vitest";
import { freshSecrets } from "../../../src/cli/local/dev-vars.ts";
import { LocalServer } from "../../../src/cli/local/local-server.ts";
import { batonWithServer, run, stubServer } from "../support.ts";

const baton = batonWithServer();

/** Runs `baton health` against answers that a healthy server does not give. */
async function healthOf(status: number, body: object, ...more: string[]) {
  const { port } = await stubServer((_, response) => {
    response.statusCode = status;
    response.end(JSON.stringify(body));
  });
  return run("baton", ["health", ...more], {
    env: {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "an admin token".replaceAll(" ", "-"),
    },
  });
}

describe("baton health", () => {
  test("says ok for a server that can work", async () => {
    expect(await baton.run("health")).toEqual({
      code: 0,
      stdout: "ok\n",
      stderr: "",
    });
    expect(await baton.json("health")).toEqual({
      status: "ok",
      version: expect.any(String),
      keys: [
        expect.objectContaining({ secret: "ENCRYPTION_KEY", state: "making" }),
        expect.objectContaining({ secret: "PRIVATE_KEY", state: "making" }),
      ],
    });
  });

  test("names what is wrong, and ends with exit code 1 if the server cannot work", async () => {
    const secrets = { ...freshSecrets(), ENCRYPTION_KEY: "short" };
    const failing = await LocalServer.launch(secrets);
    try {
      await expect(failing.ready()).rejects.toThrow(/ENCRYPTION_KEY/);
      const outcome = await run("baton", ["health"], {
        env: {
          BATON_URL: failing.url,
          BATON_ADMIN_TOKEN: secrets.ADMIN_TOKEN,
        },
      });
      expect(outcome).toEqual({
        code: 1,
        stdout: expect.stringMatching(
          /^failing\n {2}ENCRYPTION_KEY must be the base64 of 32 random bytes/,
        ),
        stderr: "The server cannot work until what is wrong is corrected.\n",
      });
    } finally {
      await failing.stop();
    }
  });

  test("shows a client record that cannot be read, and ends with exit code 0", async () => {
    const problems = [{ name: "client:x", problem: "is not JSON" }];
    expect(await healthOf(200, { status: "degraded", problems })).toEqual({
      code: 0,
      stdout: "degraded\n  client:x is not JSON\n",
      stderr: "",
    });
  });

  test("says where the names are if the server does not tell them", async () => {
    const { stdout } = await healthOf(503, { status: "failing" });
    expect(stdout).toContain("failing\nThe server names what is wrong only");
    const json = await healthOf(503, { status: "failing" }, "--json");
    expect([json.code, JSON.parse(json.stdout)]).toEqual([
      1,
      { status: "failing" },
    ]);
  });

  test("of a server on this machine without keys repeats which command makes them, as every command does", async () => {
    const advice =
      "This server has no keys yet. Type `npm run dev`, or `npm run baton -- setup --local` and start it again.";
    const { port } = await stubServer(({ url }, response) => {
      response.statusCode = url === "/health" ? 503 : 500;
      const body =
        url === "/health"
          ? { status: "failing" }
          : { error: "server_error", error_description: advice };
      response.end(JSON.stringify(body));
    });
    const env = {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "an admin token".replaceAll(" ", "-"),
    };
    const health = await run("baton", ["health"], { env });
    expect([health.code, health.stdout]).toEqual([1, `failing\n${advice}\n`]);
    for (const command of [
      ["scopes", "list"],
      ["keys", "show"],
    ])
      expect(await run("baton", command, { env })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(advice),
      });
  });

  test("says so if the answer is not one of Baton", async () => {
    const { code, stderr } = await healthOf(200, { status: "fine" });
    expect(code).toBe(1);
    expect(stderr).toContain("not like");
  });
});
