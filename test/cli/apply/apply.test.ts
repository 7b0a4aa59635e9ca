import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { clientFieldNames } from "../../../src/cli/apply/desired.ts";
import { clientMetadata } from "../../../src/oauth/client-metadata.ts";
import { ecKey, edKey } from "../../support/client-keys.ts";
import { batonWithServer, temporaryDirectory } from "../support.ts";

const baton = batonWithServer();

beforeAll(() => baton.json("scopes", "put", "read", "Read"));

/** Writes a file for one test. @returns its path */
function file(text: string, name = "clients.yaml"): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, text);
  return path;
}

function unique(): string {
  return `app-${crypto.randomUUID().slice(0, 8)}`;
}

/** The rest of a client's record, which no file has. */
interface Applied {
  changes: { action: string; name: string; done: boolean }[];
  warnings?: string[];
}

async function applied(path: string, ...options: string[]): Promise<Applied> {
  return (await baton.json("apply", path, "--yes", ...options)) as Applied;
}

describe("baton apply", () => {
  test("knows every field of a client that an operator decides", () => {
    expect(clientFieldNames.toSorted()).toEqual(
      [...Object.keys(clientMetadata), "disabled"].toSorted(),
    );
  });

  test("makes scopes and clients as a file says, shows each secret once, and the second time does nothing", async () => {
    const id = unique();
    const path = file(`
scopes:
  ${id}: May ${id}
clients:
  ${id}:
    client_name: Notes
    scope: read ${id}
    redirect_uris: [https://app.example.com/callback]
    access_token_ttl: PT10M
  ${id}-app:
    token_endpoint_auth_method: none
`);
    const { code, stdout, stderr } = await baton.run("apply", path, "--yes");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`+ scope ${id}\n    description: "May ${id}"`);
    expect(stdout).toContain(`+ client ${id}\n    client_name: "Notes"`);
    expect(stdout).toMatch(
      new RegExp(
        `^Created the client ${id}\\.\n {2}client_secret {2}baton_`,
        "m",
      ),
    );
    expect(stdout.match(/baton_cs_/g)).toHaveLength(1);
    expect(await baton.json("clients", "show", id)).toMatchObject({
      client_name: "Notes",
      scope: `read ${id}`,
      redirect_uris: ["https://app.example.com/callback"],
      access_token_ttl: "PT10M",
      credentials: [{}],
    });
    const again = await baton.run("apply", path, "--yes");
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(again.stdout).toMatch(/^There is nothing to do: /);
  });

  test("shows each field from what to what, and makes the client as the file says: what it leaves out is removed", async () => {
    const id = unique();
    await baton.json(
      ["clients", "create", "--id", id, "--name", "Old", "--scope", "read"],
      ["--redirect-uri", "https://old.example.com/", "--resource", "urn:kept"],
      ["--access-token-ttl", "PT5M"],
    );
    const path = file(`
clients:
  ${id}:
    client_name: New
    redirect_uris: [https://new.example.com/]
    resources: ["urn:kept"]
`);
    const { stdout } = await baton.run("apply", path, "--dry-run");
    expect(stdout).toBe(
      [
        `~ client ${id}`,
        `    client_name: "Old" -> "New"`,
        `    scope: "read" -> ""`,
        `    redirect_uris:`,
        `      - "https://old.example.com/"`,
        `      + "https://new.example.com/"`,
        `    access_token_ttl: "PT5M" -> not set`,
        "",
        `1 change on ${baton.server.url}. --dry-run: nothing was changed.`,
        "",
      ].join("\n"),
    );
    expect(await baton.json("clients", "show", id)).toMatchObject({
      client_name: "Old",
    });
    expect(await applied(path)).toMatchObject({
      changes: [{ action: "change", name: id, done: true }],
    });
    const record = await baton.json("clients", "show", id);
    expect(record).toMatchObject({ client_name: "New", scope: "" });
    expect(record).not.toHaveProperty("access_token_ttl");
    expect(await applied(path)).toMatchObject({ changes: [] });
  });

  test("makes a client with keys, without a secret, and changes its keys", async () => {
    const id = unique();
    const content = (...keys: object[]) =>
      file(
        JSON.stringify({
          clients: {
            [id]: {
              token_endpoint_auth_method: "private_key_jwt",
              jwks: { keys },
              single_use_client_assertions: true,
              dpop_bound_access_tokens: true,
              refresh_token_catch_up: "P1D",
            },
          },
        }),
      );
    const wrong = await baton.run(
      "apply",
      content({ ...ecKey, d: "c2VjcmV0" }),
      "--yes",
    );
    expect(wrong.stderr).toMatch(
      /jwks\.keys\.0: must not have the private part of the key/,
    );
    expect(wrong.stderr).not.toContain("c2VjcmV0");
    // The server drops what no check needs, so that such a file stays as it is.
    const path = content({ ext: true, ...ecKey });
    const made = await baton.run("apply", path, "--yes", "--no-secrets");
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(made.stdout).not.toMatch(/client_secret/);
    expect(await applied(path)).toMatchObject({ changes: [] });
    expect(await baton.json("clients", "show", id)).toMatchObject({
      jwks: { keys: [ecKey] },
      credentials: [],
    });
    const changed = await baton.run("apply", content(edKey), "--yes");
    expect(changed.stdout).toContain(
      '    jwks:\n      - "EC P-256, 7yGUmnDiBAjsJ2it…"\n      + "OKP Ed25519, QE7bBkcUGzX5Kea9…"',
    );
    const exported = (await baton.json("export", "--clients")) as {
      clients: Record<string, object>;
    };
    expect(exported.clients[id]).toMatchObject({ jwks: { keys: [edKey] } });
    const later = file(`clients: {${id}: {}}`);
    expect((await baton.run("apply", later, "--yes")).stderr).toContain(
      `${id}: it authenticates with a secret and has none.`,
    );
  });

  test("leaves alone what the file does not name", async () => {
    const [other, id] = [unique(), unique()];
    await baton.json("clients", "create", "--id", other, "--name", "Other");
    const before = await baton.json("clients", "show", other);
    await applied(file(`{"clients": {"${id}": {}}}`, "clients.json"));
    expect(await baton.json("clients", "show", other)).toEqual(before);
    expect(await baton.json("clients", "show", id)).toMatchObject({
      client_id: id,
    });
  });

  test("does not enable a client that was disabled, unless the file says so", async () => {
    const id = unique();
    await applied(file(`clients: {${id}: {}}`));
    await baton.json("clients", "disable", id);
    expect(await applied(file(`clients: {${id}: }`))).toMatchObject({
      changes: [],
    });
    await applied(file(`clients: {${id}: {disabled: false}}`));
    expect(await baton.json("clients", "show", id)).not.toHaveProperty(
      "disabled_at",
    );
  });

  test("with --no-secrets, creates clients without a secret", async () => {
    const id = unique();
    const done = await applied(file(`clients: {${id}: {}}`), "--no-secrets");
    expect(JSON.stringify(done)).not.toContain("client_secret");
    expect(await baton.json("clients", "show", id)).toMatchObject({
      credentials: [],
    });
  });

  test("deletes only what --prune names, and the second time says that there is nothing", async () => {
    const [kept, gone, scope] = [unique(), unique(), unique()];
    for (const id of [kept, gone])
      await baton.json("clients", "create", "--id", id);
    await baton.json("scopes", "put", scope, "Going");
    const path = file("clients: {}");
    const prune = ["--prune", gone, "--prune", `scope:${scope}`];
    const done = await applied(path, ...prune);
    expect(done.changes).toMatchObject([
      { action: "delete", kind: "client", name: gone },
      { action: "delete", kind: "scope", name: scope },
    ]);
    expect(done.warnings?.[0]).toContain("it can be restored");
    expect((await baton.run("clients", "show", kept)).code).toBe(0);
    expect((await baton.run("clients", "show", gone)).code).toBe(1);
    expect(await applied(path, ...prune)).toMatchObject({
      changes: [],
      warnings: [
        expect.stringContaining("nothing to delete"),
        expect.stringContaining("nothing to delete"),
      ],
    });
  });

  test.each([
    ["that the file has", (id: string) => `clients: {${id}: {}}`],
    [
      "that a client and a scope have",
      (id: string) => `clients: {other-${id}: {}}`,
    ],
  ])("refuses --prune of a name %s", async (_, text) => {
    const id = unique();
    await baton.json("clients", "create", "--id", id);
    await baton.json("scopes", "put", id, "Both");
    const path = file(text(id));
    const name = text(id).includes("other") ? id : `client:${id}`;
    const refused = await baton.run("apply", path, "--yes", "--prune", name);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain(`--prune ${name}: `);
    expect((await baton.run("clients", "show", id)).code).toBe(0);
  });

  test.each(["client", "scope"])(
    "refuses --prune of a name that a resource and a %s have, until it says which",
    async (kind) => {
      const uri = `https://${unique()}.example.com/`;
      const put = `resources put ${uri}`.split(" ");
      await baton.json(...put);
      if (kind === "scope") await baton.json("scopes", "put", uri, "Both");
      else await baton.json("clients", "create", "--id", uri);
      const path = file("clients: {}");
      const refused = await baton.run("apply", path, "--yes", "--prune", uri);
      expect(refused).toMatchObject({ code: 2, stdout: "" });
      expect(refused.stderr).toContain(
        `--prune ${uri}: there are a ${kind} and a resource with this name. Write ${kind}:${uri} or resource:${uri}.`,
      );
      for (const named of ["resource", kind])
        expect(await applied(path, "--prune", `${named}:${uri}`)).toMatchObject(
          {
            changes: [{ action: "delete", kind: named, name: uri }],
          },
        );
    },
  );

  test("without a terminal and --yes, shows the difference and changes nothing", async () => {
    const id = unique();
    const path = file(`clients: {${id}: {}}`);
    const { code, stdout, stderr } = await baton.run("apply", path);
    expect(code).toBe(2);
    expect(stdout).toContain(`+ client ${id}`);
    expect(stderr).toMatch(/1 change on .*\nNothing was changed.*--yes/);
    expect(await baton.run("apply", path, "--json")).toMatchObject({ code: 2 });
    expect((await baton.run("clients", "show", id)).code).toBe(1);
  });

  test("warns of what does not show in the fields", async () => {
    const id = unique();
    await baton.json("clients", "create", "--id", id);
    const path = file(`
clients:
  ${id}: {token_endpoint_auth_method: none, redirect_uris: ["myapp://x"]}
`);
    const { stderr } = await baton.run("apply", path, "--dry-run");
    expect(stderr).toContain(`${id}: it becomes public`);
    expect(stderr).toMatch(/myapp:\/\/x .*RFC 8252/);
  });
});

describe("baton export", () => {
  test("prints what apply reads: after it, there is nothing to do", async () => {
    const id = unique();
    await baton.json(
      ["clients", "create", "--id", id, "--name", "a\u001b[2Jb\u009b1m\u202e"],
      ["--scope", "read", "--no-require-pkce", "--resource", "urn:a"],
      ["--grant-type", "refresh_token"],
      ["--refresh-without-offline-access"],
    );
    await baton.json("clients", "disable", id);
    const { stdout, code } = await baton.run("export");
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/[^\n\P{Cc}]|\u202e|baton_cs_|hash/u);
    expect(stdout).toContain(`  ${id}:\n    client_name: "a\\`);
    expect(await baton.run("apply", file(stdout))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^There is nothing to do/),
    });
    const json = await baton.run("export", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      scopes: { read: "Read" },
      clients: {
        [id]: {
          client_name: "a\u001b[2Jb\u009b1m\u202e",
          scope: "read",
          grant_types: ["refresh_token"],
          require_pkce: false,
          refresh_without_offline_access: true,
          resources: ["urn:a"],
          disabled: true,
        },
      },
    });
    expect(await baton.run("apply", file(json.stdout))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^There is nothing to do/),
    });
  });

  test("has the claims of a scope, and apply makes them", async () => {
    const [scope, plain] = [unique(), unique()];
    const of = (claims: string) => `scopes:
  ${plain}: Nothing
  ${scope}: {description: Teams, claims: ${claims}}
`;
    const path = file(of("[team, role]"));
    const { stdout, code } = await baton.run("apply", path, "--yes");
    expect(code).toBe(0);
    expect(stdout).toContain(
      `+ scope ${scope}\n    description: "Teams"\n    claims:\n      + "team"`,
    );
    const { scopes } = (await baton.json("export")) as {
      scopes: Record<string, unknown>;
    };
    expect(scopes).toMatchObject({
      [plain]: "Nothing",
      [scope]: { description: "Teams", claims: ["team", "role"] },
    });
    const exported = (await baton.run("export")).stdout;
    expect(await baton.run("apply", file(exported))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^There is nothing to do/),
    });
    // A file that names none leaves them as they are.
    const described = file(`scopes:\n  ${scope}: Your teams\n`);
    await applied(described);
    await applied(file(`scopes:\n  ${scope}: {claims: [team]}\n`));
    const after = (await baton.json("export")) as typeof scopes;
    expect(after["scopes"]).toMatchObject({
      [scope]: { description: "Your teams", claims: ["team"] },
    });
  });

  test("prints a part with --scopes or --clients", async () => {
    expect(
      Object.keys((await baton.json("export", "--scopes")) as object),
    ).toEqual(["scopes"]);
    expect(
      Object.keys((await baton.json("export", "--clients")) as object),
    ).toEqual(["clients"]);
  });
});
