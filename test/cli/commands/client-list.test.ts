import { describe, expect, test } from "vitest";
import {
  type Args,
  batonWithServer,
  fresh,
  run,
  stubServer,
} from "../support.ts";

const baton = batonWithServer();

async function freshClient(...options: Args): Promise<string> {
  const id = `${fresh("client")}-${crypto.randomUUID()}`;
  await baton.json("clients", "create", "--id", id, ...options);
  return id;
}

/** Lists the ids that a list with some options has. */
async function idsOf(...options: Args): Promise<string[]> {
  const { clients } = (await baton.json("clients", "list", ...options)) as {
    clients: { client_id: string }[];
  };
  return clients.map(({ client_id }) => client_id);
}

describe("baton clients list", () => {
  test("with --name, finds text in names and ids, in any case", async () => {
    const [notes, mail] = [
      await freshClient("--name", "My NOTES"),
      await freshClient("--name", "Mail"),
    ];
    expect(await idsOf("--name", "notes")).toEqual([notes]);
    expect(await idsOf("--name", mail.slice(3).toUpperCase())).toEqual([mail]);
    const none = await baton.run(
      "clients",
      "list",
      "--name",
      "nothing like it",
    );
    expect(none).toEqual({
      code: 0,
      stdout: "No client matches.\n",
      stderr: "",
    });
  });

  test("with --disabled, shows only what is disabled", async () => {
    const id = await freshClient();
    await baton.json("clients", "disable", id);
    expect(await idsOf("--disabled")).toEqual([id]);
    const { stdout } = await baton.run("clients", "list", "--disabled");
    expect(stdout).toMatch(new RegExp(`^${id} +disabled `, "m"));
  });

  test("with --limit, ends early", async () => {
    for (let n = 0; n < 3; n++) await freshClient();
    expect(await idsOf("--limit", "2")).toHaveLength(2);
  });

  test.each(["0", "x", "1.5"])("refuses --limit %s", async (limit) => {
    expect(await baton.run("clients", "list", "--limit", limit)).toEqual({
      code: 2,
      stdout: "",
      stderr: "--limit must be a whole number, at least 1.\n",
    });
  });

  test("fits a terminal of 80 columns, and never cuts an id; a pipe gets all", async () => {
    await baton.json("scopes", "put", "s".repeat(90), "Long");
    const id = await freshClient(
      ["--name", "A name that is much longer than its column can ever be"],
      ["--scope", "s".repeat(90)],
    );
    const { url, secrets } = baton.server;
    const { stdout } = await run("baton", ["clients", "list"], {
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
    expect(stdout).toMatch(new RegExp(`^${id} .*…$`, "m"));
    const whole = await baton.run("clients", "list");
    expect(whole.stdout).toContain("s".repeat(90));
  });

  test("writes each page before it asks for the next, and asks for no page that --limit does not need", async () => {
    const record = (client_id: string) => ({
      client_id,
      grant_types: [],
      scope: "",
    });
    const { port, requests } = await stubServer((request, response) => {
      const isSecond = request.url?.includes("cursor=next") ?? false;
      if (isSecond) response.destroy();
      else
        response.end(
          JSON.stringify({ clients: [record("first")], cursor: "next" }),
        );
    });
    const env = {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "any",
    };
    const broken = await run("baton", ["clients", "list"], { env });
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(/^first /m);
    const asked = requests.length;
    const limited = ["clients", "list", "--limit", "1"];
    expect(await run("baton", limited, { env })).toMatchObject({ code: 0 });
    expect(requests).toHaveLength(asked + 1);
  });
});
