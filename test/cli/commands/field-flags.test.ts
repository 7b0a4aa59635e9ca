import { expect, test } from "vitest";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();

/** What a refused command writes. */
async function problemOf(...args: string[]): Promise<string> {
  const { code, stderr } = await baton.run(args);
  expect(code).toBe(1);
  return stderr;
}

test.each<[string[], RegExp]>([
  [["--refresh-token-ttl", "soon"], /^--refresh-token-ttl: must be /],
  [["--id", "ü"], /^--id: must be 1 to 255 printable ASCII characters/],
  [["--name", "x".repeat(256)], /^--name: must have at most 255 characters/],
  [["--auth-method", "x"], /^--auth-method: must be one of /],
  [["--grant-type", "x"], /^--grant-type number 1: must be one of /],
  [
    ["--redirect-uri", "https://a.example", "--redirect-uri", "x"],
    /^--redirect-uri number 2: must be an absolute URI/,
  ],
  [
    ["--post-logout-redirect-uri", "x"],
    /^--post-logout-redirect-uri number 1: must be an absolute URI/,
  ],
  [
    ["--backchannel-logout-uri", "https://10.0.0.1/"],
    /^--backchannel-logout-uri: must not lead to a private address/,
  ],
  [["--auth-method", "private_key_jwt"], /^--jwks: is missing/],
  [["--auth-method", "tls_client_auth"], /^--certificate-subject: is missing/],
  [
    ["--auth-method", "tls_client_auth", "--certificate-ip", "x"],
    /^--certificate-ip: must be an IP address/,
  ],
  [
    ["--auth-method", "private_key_jwt", "--jwks-uri", "http://a.example"],
    /^--jwks-uri: must begin with https/,
  ],
  [["--catch-up", "P9Y"], /^--catch-up: must not be longer than refresh_/],
  [["--resource", "x"], /^--resource number 1: must be an absolute URI/],
  [["--scope", "nobody-knows"], /^--scope: /],
  [
    ["--scope", "phone"],
    /^--scope: phone is not in the scope catalogue\. Add it: npm run baton -- scopes put phone$/m,
  ],
])(
  "clients create %j is refused with the option's name",
  async (args, text) => {
    expect(await problemOf("clients", "create", ...args)).toMatch(text);
  },
);

test("every wrong option is named in one line", async () => {
  const options = ["--access-token-ttl", "x", "--refresh-token-max-age", "y"];
  expect(await problemOf("clients", "create", ...options)).toMatch(
    /^--access-token-ttl: .+; --refresh-token-max-age: .+\n$/,
  );
});

test("grants create names --client and --resource", async () => {
  const grant = ["grants", "create", "--subject", "alice"];
  expect(await problemOf(...grant, "--client", fresh("nobody"))).toBe(
    "--client: there is no such client\n",
  );
  const client = fresh("client");
  await baton.json("clients", "create", "--id", client);
  const resource = ["--client", client, "--resource", "x"];
  expect(await problemOf(...grant, ...resource)).toMatch(
    /^--resource number 1: /,
  );
});

test("resources put names its options and its argument, and the command that adds a scope", async () => {
  const put = ["resources", "put", `https://${fresh("api")}.example.com`];
  expect(await problemOf("resources", "put", "x")).toMatch(/^uri: must be /);
  expect(await problemOf(...put, "--scope", "unheard")).toMatch(
    /^--scope: unheard is not in the scope catalogue\. Add it: npm run baton -- scopes put unheard /,
  );
  expect(await problemOf(...put, "--access-token-format", "jwt")).toMatch(
    /^--access-token-format: must be one of /,
  );
  await baton.json([...put, "--name", "First"]);
  expect(
    await problemOf("resources", "put", "urn:second", "--audience", put[2]!),
  ).toMatch(/^--audience: is that of https:/);
});

test("an argument is not blamed on an option", async () => {
  expect(await problemOf("scopes", "put", "bad scope", "Bad")).toMatch(
    /^scope: /,
  );
  const long = "x".repeat(300);
  expect(await problemOf("grants", "list", long)).toMatch(/^subject: /);
});

test("an id that is taken is blamed on --id", async () => {
  const id = fresh("client");
  const create = ["clients", "create", "--id", id];
  await baton.json(create);
  expect(await problemOf(...create)).toMatch(
    /^--id is taken by another client, .* Choose another --id\. /,
  );
});

test("with --json the fields keep the names of the API", async () => {
  const { stderr } = await baton.run(
    ["clients", "create", "--json"],
    ["--refresh-token-ttl", "soon"],
  );
  expect(JSON.parse(stderr)).toMatchObject({
    fields: { refresh_token_ttl: expect.any(String) },
  });
});

test("an empty back-channel logout URI names the option that removes it, before the server is asked", async () => {
  const update = ["clients", "update", "nobody"];
  expect(
    await baton.run(update, ["--backchannel-logout-uri", ""]),
  ).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--unset backchannel_logout_uri"),
  });
});

test.each(["clients", "grants"])(
  "the help of %s update shows no default of --unset",
  async (command) => {
    const { stdout } = await baton.run(command, "update", "--help");
    expect(stdout).toContain("--unset <field>");
    expect(stdout).not.toContain("default: []");
  },
);
