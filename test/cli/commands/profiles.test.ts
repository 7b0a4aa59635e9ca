import {
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  run,
  stubServer,
  temporaryDirectory,
  temporaryProject,
} from "../support.ts";

const token = "the-admin-token-of-a-profile";
const list = ["scopes", "list"];

let config: string;
/** A checkout without .dev.vars, so that profiles alone know a token. */
let checkout: string;

beforeEach(() => {
  config = temporaryDirectory();
  checkout = temporaryProject();
});

/** The file of profiles. */
function file(): string {
  return join(config, "baton/profiles.json");
}

/** Runs `baton` with a configuration folder of its own. */
function baton(
  args: string[],
  options: { input?: string; env?: NodeJS.Dict<string> } = {},
) {
  const env = { XDG_CONFIG_HOME: config, ...options.env };
  return run("baton", args, { ...options, env, directory: checkout });
}

/** A server that keeps the admin tokens that it is sent. */
async function recordingServer() {
  const tokens: (string | undefined)[] = [];
  const { port, connections } = await stubServer((request, response) => {
    tokens.push(request.headers.authorization);
    response.end(JSON.stringify({ scopes: [] }));
  });
  return { url: `http://localhost:${port}`, tokens, connections };
}

async function add(name: string, url: string, input = token) {
  const added = await baton(["profiles", "add", name, "--url", url], { input });
  expect(added.code, added.stderr).toBe(0);
  return added;
}

describe("baton profiles", () => {
  test("keeps the token in a file of the user alone, and shows it nowhere", async () => {
    const { url } = await recordingServer();
    const added = await add("production", url);
    expect(readFileSync(file(), "utf8")).toContain(token);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const listed = await baton(["profiles", "list"]);
    const json = await baton(["profiles", "list", "--json"]);
    const removed = await baton(["profiles", "remove", "production"]);
    expect(listed.stdout).toMatch(
      /^NAME +URL +TOKEN +WRANGLER ENV\nproduction +http:\/\/localhost:\d+ +in the file\n$/,
    );
    expect(JSON.parse(json.stdout)).toEqual({
      profiles: [{ name: "production", url, token: "in the file" }],
    });
    for (const { stdout, stderr } of [added, listed, json, removed])
      expect(stdout + stderr).not.toContain(token);
    expect(readFileSync(file(), "utf8")).not.toContain(token);
  });

  test("replaces a profile only if told to", async () => {
    await add("production", "https://auth.example.com");
    const again = [
      "profiles",
      "add",
      "production",
      "--url",
      "https://b.example",
    ];
    expect(await baton(again, { input: token })).toMatchObject({
      code: 1,
      stderr:
        "There is a profile production already, for https://auth.example.com. To replace it, add --replace.\n",
    });
    const replaced = await baton([...again, "--replace"], { input: token });
    expect(replaced.code).toBe(0);
    expect(readFileSync(file(), "utf8")).toContain("https://b.example");
  });

  test.each([
    [
      ["profiles", "add", "Production", "--url", "https://a.example"],
      2,
      "cannot be the name of a profile",
    ],
    [["profiles", "add", "production"], 1, "Add --url"],
    [
      ["profiles", "add", "production", "--url", "https://a.example/x"],
      2,
      "without a path",
    ],
    [["profiles", "remove", "production"], 1, "There is no profile production"],
    [
      ["--env", "production", ...list],
      1,
      "There is no profile production. There are no profiles yet.",
    ],
  ])("refuses %j", async (args, code, message) => {
    const outcome = await baton(args, { input: token });
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toContain(message);
  });

  test("refuses a token that no header can carry, and does not show it", async () => {
    const outcome = await baton(
      ["profiles", "add", "a", "--url", "https://a.example"],
      { input: "two words" },
    );
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).not.toContain("two words");
    expect(outcome.stderr).toContain("Nothing was added.");
  });

  test("does not use a file that others can read, and says how to correct it", async () => {
    mkdirSync(join(config, "baton"));
    writeFileSync(file(), JSON.stringify({ profiles: {} }));
    chmodSync(file(), 0o644);
    expect(await baton(["profiles", "list"])).toEqual({
      code: 1,
      stdout: "",
      stderr: `${file()} is not used, because other users can read it and it may have admin tokens. To correct that: \`chmod 600 ${file()}\`.\n`,
    });
  });

  test("names a file that is damaged", async () => {
    mkdirSync(join(config, "baton"));
    writeFileSync(file(), "{", { mode: 0o600 });
    const { code, stderr } = await baton(["profiles", "list"]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file()} is not a file of profiles.`);
  });
});

describe("--env", () => {
  test("sends the profile's token to the profile's server, whatever BATON_URL says", async () => {
    const mine = await recordingServer();
    const other = await recordingServer();
    await add("production", mine.url);
    const env = {
      BATON_URL: other.url,
      BATON_ADMIN_TOKEN: "the-token-of-another",
    };
    const { code } = await baton(["--env", "production", ...list], { env });
    expect(code).toBe(0);
    expect(mine.tokens).toEqual([`Bearer ${token}`]);
    expect(other.connections()).toBe(0);
  });

  test("takes the token from its own environment variable first", async () => {
    const { url, tokens } = await recordingServer();
    await add("eu-west", url);
    const env = { BATON_ADMIN_TOKEN_EU_WEST: "the-token-of-the-environment" };
    await baton([...list, "--env", "eu-west"], { env });
    expect(tokens).toEqual(["Bearer the-token-of-the-environment"]);
  });

  test("says where a token can come from if the profile keeps none", async () => {
    await add("production", "https://auth.example.com", "");
    expect(await baton(["--env", "production", ...list])).toMatchObject({
      code: 1,
      stderr:
        "The profile production has no admin token for https://auth.example.com. Set the environment variable BATON_ADMIN_TOKEN_PRODUCTION to the server's ADMIN_TOKEN, or keep the token in the profile: `npm run baton -- profiles add production --url https://auth.example.com --replace`.\n",
    });
  });

  test("yields to --url, and its token is not sent there", async () => {
    const mine = await recordingServer();
    const other = await recordingServer();
    await add("production", mine.url);
    const args = ["--env", "production", "--url", other.url, ...list];
    const { code, stderr } = await baton(args);
    expect(code).toBe(1);
    expect(stderr).toContain(`There is no admin token for ${other.url}.`);
    expect(other.connections() + mine.connections()).toBe(0);
  });
});
