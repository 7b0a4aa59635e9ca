import { describe, expect, test } from "vitest";
import { batonWithServer, fresh, run, stubServer } from "../support.ts";

const baton = batonWithServer();

/** Creates a client with a long scope, and a user with this number of grants. */
async function createGrants(count: number) {
  const [client, subject] = [fresh("client"), fresh("user")];
  const scope = "s".repeat(90);
  await baton.json("scopes", "put", scope, "Long");
  await baton.json("clients", "create", "--id", client, "--scope", scope);
  for (let n = 1; n <= count; n++)
    await baton.json(
      ["grants", "create", "--client", client],
      ["--subject", subject],
    );
  return { client, subject, scope };
}

const record = (grant_id: string) => ({
  grant_id,
  client_id: "web",
  scope: "read",
  created_at: 1,
  last_used_at: 1,
  expires_at: 1,
});

describe("baton grants list", () => {
  test("with --limit, shows at most this number of grants", async () => {
    const { client, subject } = await createGrants(3);
    const list = ["grants", "list", subject, "--limit", "2"];
    const { grants } = (await baton.json(list)) as { grants: unknown[] };
    expect(grants).toHaveLength(2);
    const { stdout } = await baton.run(list, ["--client", client]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(3);
  });

  test.each(["0", "x", "1.5"])("refuses --limit %s", async (limit) => {
    const list = ["grants", "list", "alice", "--limit", limit];
    expect(await baton.run(list)).toEqual({
      code: 2,
      stdout: "",
      stderr: "--limit must be a whole number, at least 1.\n",
    });
  });

  test("fits a terminal of 80 columns, and never cuts a grant_id; a pipe gets all", async () => {
    const { client, subject, scope } = await createGrants(2);
    const { url, secrets } = baton.server;
    const { stdout } = await run("baton", ["grants", "list", subject], {
      env: {
        COLUMNS: "80",
        BATON_URL: url,
        BATON_ADMIN_TOKEN: secrets.ADMIN_TOKEN,
      },
    });
    const lines = stdout.trimEnd().split("\n");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(
      80,
    );
    expect(lines.slice(0, 2)).toEqual([
      "GRANT_ID",
      expect.stringMatching(
        /^ {2}CLIENT_ID +SCOPE +CREATED +LAST USED +EXPIRES$/,
      ),
    ]);
    expect(lines.slice(2)).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      expect.stringMatching(new RegExp(`^  ${client} +s+… +2`)),
      expect.stringMatching(/^[0-9a-f]{64}$/),
      expect.stringMatching(new RegExp(`^  ${client} +s+… +2`)),
    ]);
    const whole = await baton.run("grants", "list", subject);
    expect(whole.stdout).toMatch(
      new RegExp(`^[0-9a-f]{64}  ${client} +${scope} `, "m"),
    );
  });

  test("writes each page before it asks for the next, and asks for no page that --limit does not need", async () => {
    const { port, requests } = await stubServer((request, response) => {
      if (request.url?.includes("cursor=next")) response.destroy();
      else
        response.end(
          JSON.stringify({ grants: [record("first")], cursor: "next" }),
        );
    });
    const env = {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "any",
    };
    const broken = await run("baton", ["grants", "list", "alice"], { env });
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(/^first /m);
    const asked = requests.length;
    const limited = ["grants", "list", "alice", "--limit", "1"];
    expect(await run("baton", limited, { env })).toMatchObject({ code: 0 });
    expect(requests).toHaveLength(asked + 1);
  });
});
