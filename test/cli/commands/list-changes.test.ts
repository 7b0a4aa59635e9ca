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
  const id = fresh("client");
  await baton.json("clients", "create", "--id", id, ...options);
  return id;
}

const one = "https://one.example.com/";
const two = "https://two.example.com/";

describe("baton clients update --add-… and --remove-…", () => {
  test("change one value of a list and keep the others", async () => {
    await baton.json("scopes", "put", "read", "Read");
    await baton.json("scopes", "put", "write", "Write");
    const id = await freshClient(
      ["--redirect-uri", one, "--resource", one],
      ["--scope", "read"],
    );
    expect(
      await baton.json(
        ["clients", "update", id, "--name", "New"],
        ["--add-redirect-uri", two, "--remove-redirect-uri", one],
        ["--add-scope", "write"],
        ["--add-resource", two],
        ["--add-grant-type", "client_credentials"],
        ["--remove-grant-type", "authorization_code"],
      ),
    ).toMatchObject({
      client_name: "New",
      redirect_uris: [two],
      scope: "read write",
      resources: [one, two],
      grant_types: ["refresh_token", "client_credentials"],
    });
    const removed = await baton.json(
      ["clients", "update", id],
      ["--remove-scope", "read write", "--remove-resource", one],
    );
    expect(removed).toMatchObject({ scope: "", resources: [two] });
  });

  test("that add what is there already change nothing", async () => {
    const id = await freshClient("--redirect-uri", one);
    const added = ["--add-redirect-uri", one, "--add-redirect-uri", one];
    expect(await baton.json("clients", "update", id, added)).toMatchObject({
      redirect_uris: [one],
    });
  });

  test("that remove what is not there are refused, and nothing is changed", async () => {
    const id = await freshClient("--redirect-uri", one);
    const { code, stderr } = await baton.run(
      ["clients", "update", id, "--name", "New"],
      ["--remove-redirect-uri", two],
    );
    expect(code).toBe(1);
    expect(stderr).toBe(
      `--remove-redirect-uri: ${id} does not have ${two}, so nothing was changed. It has: ${one}.\n`,
    );
    expect(await baton.json("clients", "show", id)).not.toHaveProperty(
      "client_name",
    );
  });

  test.each([
    [["--redirect-uri", one, "--add-redirect-uri", two], "redirect_uris"],
    [["--unset", "scope", "--add-scope", "read"], "scope"],
    [["--add-resource", one, "--remove-resource", one], one],
  ])("together with %j are a usage error", async (options, named) => {
    const update = await baton.run("clients", "update", "any", options);
    expect(update).toMatchObject({ code: 2, stdout: "" });
    expect(update.stderr).toMatch(new RegExp(`^${named} cannot be both `));
  });

  test("keep what others change in the same moment", async () => {
    const id = await freshClient();
    const uris = Array.from(
      { length: 4 },
      (_, n) => `https://app-${n}.example.com/`,
    );
    const outcomes = await Promise.all(
      uris.map((uri) =>
        baton.run("clients", "update", id, "--add-redirect-uri", uri),
      ),
    );
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const { redirect_uris } = (await baton.json("clients", "show", id)) as {
      redirect_uris: string[];
    };
    expect(redirect_uris.toSorted()).toEqual(uris);
  });

  test("give up after five tries, and say so", async () => {
    const record = { client_id: "web", grant_types: [], scope: "" };
    const { port, requests } = await stubServer((request, response) => {
      const status = request.method === "GET" ? 200 : 412;
      response.writeHead(status, { ETag: '"x"' });
      response.end(
        JSON.stringify(status === 200 ? record : { error: "stale" }),
      );
    });
    const { code, stderr } = await run(
      "baton",
      ["clients", "update", "web", "--add-resource", one],
      {
        env: {
          BATON_URL: `http://localhost:${port}`,
          BATON_ADMIN_TOKEN: "any",
        },
      },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The client web was not changed.*5 times/);
    expect(requests.filter((line) => line.startsWith("PATCH"))).toHaveLength(5);
  });
});
