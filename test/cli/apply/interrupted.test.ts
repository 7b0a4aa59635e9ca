import { writeFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  batonWithServer,
  type RunOptions,
  start,
  stubServer,
  temporaryDirectory,
} from "../support.ts";

const baton = batonWithServer();

/** Ids of clients that no other test uses, in the order in which they are created. */
let ids: [string, string, string];

beforeEach(() => {
  const run = crypto.randomUUID().slice(0, 8);
  ids = [`${run}-1`, `${run}-2`, `${run}-3`];
});

/** Writes a file with the three clients. @returns its path */
function file(field = "{}"): string {
  const path = join(temporaryDirectory(), "clients.yaml");
  const lines = ids.map((id) => `  ${id}: ${field}`);
  writeFileSync(path, ["clients:", ...lines, ""].join("\n"));
  return path;
}

/**
 * Makes a server between the command line and the real one.
 *
 * @param before is called before a change in earnest is passed on, with its method and path
 * @returns the options with which the command line uses it
 */
async function serverBetween(
  before: (change: string) => unknown,
): Promise<RunOptions> {
  const { url, secrets } = baton.server;
  const { port } = await stubServer((request, response) => {
    const pass = async () => {
      const { method = "", url: path = "" } = request;
      const body = await buffer(request);
      if (method !== "GET" && !path.includes("dry_run"))
        await before(`${method} ${path}`);
      const { "if-match": ifMatch } = request.headers;
      const answer = await fetch(url + path, {
        method,
        headers: {
          Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
          ...(body.length > 0 && { "Content-Type": "application/json" }),
          ...(ifMatch !== undefined && { "If-Match": ifMatch }),
        },
        ...(body.length > 0 && { body: new Uint8Array(body) }),
      });
      response.writeHead(answer.status, {
        ETag: answer.headers.get("ETag") ?? "",
      });
      response.end(await answer.text());
    };
    pass().catch(() => response.destroy());
  });
  return {
    env: {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: secrets.ADMIN_TOKEN,
    },
  };
}

async function namesOf(): Promise<(string | undefined)[]> {
  const { clients } = (await baton.json("export", "--clients")) as {
    clients: Record<string, { client_name?: string }>;
  };
  return ids.map((id) => clients[id]?.client_name);
}

describe("baton apply beside others", () => {
  test("does not overwrite what somebody changed meanwhile: it stops, says what was made, and the next run does the rest", async () => {
    await baton.run("apply", file(), "--yes");
    const path = file("{client_name: Mine}");
    const options = await serverBetween((change) =>
      change.endsWith(ids[1])
        ? baton.json("clients", "update", ids[1], "--name", "Theirs")
        : undefined,
    );
    const { code, stdout, stderr } = await start(
      "baton",
      ["apply", path, "--yes"],
      options,
    ).outcome();
    expect(code).toBe(1);
    expect(stdout).toContain(`Changed the client ${ids[0]}.`);
    expect(stderr).toBe(
      `The client ${ids[1]} was changed by somebody else since this command compared it, and is left as it is. Before that, 1 of 3 changes were made: client ${ids[0]}. Run the same command again: it compares anew and does the rest.\n`,
    );
    expect(await namesOf()).toEqual(["Mine", "Theirs", undefined]);
    const again = await baton.run("apply", path, "--yes");
    expect(again.stdout).toContain(`"Theirs" -> "Mine"`);
    expect(await namesOf()).toEqual(["Mine", "Mine", "Mine"]);
  });

  test("does not overwrite a scope that somebody changed meanwhile", async () => {
    const [first, second] = ids;
    const path = join(temporaryDirectory(), "scopes.yaml");
    writeFileSync(path, `scopes: {${first}: Mine, ${second}: Mine}\n`);
    const options = await serverBetween((change) =>
      change.endsWith(second)
        ? baton.json("scopes", "put", second, "Theirs")
        : undefined,
    );
    const { code, stderr } = await start(
      "baton",
      ["apply", path, "--yes"],
      options,
    ).outcome();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The scope catalogue was changed by somebody else/);
    expect(await baton.json("export", "--scopes")).toMatchObject({
      scopes: { [first]: "Mine", [second]: "Theirs" },
    });
  });

  test("of two at once, each client is as one of them says, and nobody is told of a success that was overwritten", async () => {
    await baton.run("apply", file(), "--yes");
    const paths = ["One", "Other"].map((name) =>
      file(`{client_name: ${name}}`),
    );
    const outcomes = await Promise.all(
      paths.map((path) => baton.run("apply", path, "--yes")),
    );
    const names = await namesOf();
    for (const [position, id] of ids.entries()) {
      const claimants = ["One", "Other"].filter((_, which) =>
        outcomes[which]?.stdout.includes(`Changed the client ${id}.`),
      );
      expect([undefined, ...claimants]).toContain(names[position]);
      expect(names[position] === undefined).toBe(claimants.length === 0);
    }
  });
});

describe("baton apply that is stopped", () => {
  test("by Ctrl-C finishes the client on its way, shows its secret, and the next run makes the others", async () => {
    const path = file();
    let process: ReturnType<typeof start> | undefined;
    const options = await serverBetween(() => process?.child.kill("SIGINT"));
    process = start("baton", ["apply", path, "--yes"], options);
    const { code, stdout, stderr } = await process.outcome();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Created the client .*\.\n {2}client_secret /m);
    expect(stderr).toBe(
      `Stopped by Ctrl-C. Before that, 1 of 3 changes were made: client ${ids[0]}. Run the same command again: it compares anew and does the rest.\n`,
    );
    expect((await baton.run("clients", "show", ids[1])).code).toBe(1);
    const again = await baton.run("apply", path, "--yes");
    expect(again.stdout.match(/^Created the client/gm)).toHaveLength(2);
  });

  test("with --json, by a lost connection, prints the secrets that were made", async () => {
    const path = file();
    let changes = 0;
    const options = await serverBetween(() => {
      changes += 1;
      if (changes === 2) throw new Error("lost");
    });
    const { code, stdout, stderr } = await start(
      "baton",
      ["apply", path, "--yes", "--json"],
      options,
    ).outcome();
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      changes: [
        { done: true, client_secret: expect.stringMatching(/^baton_cs_/) },
        { done: false },
        { done: false },
      ],
    });
    expect(stderr).toContain(
      `The client ${ids[1]} may have been created or not. If it was, its secret was not shown: make a new one with npm run baton -- clients rotate-secret ${ids[1]}`,
    );
    expect(stderr).toContain(`1 of 3 changes were made: client ${ids[0]}.`);
  });
});
