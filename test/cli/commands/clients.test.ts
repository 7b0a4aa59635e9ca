import { describe, expect, test } from "vitest";
import { type Args, batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();

async function freshScope(): Promise<string> {
  const scope = fresh("scope");
  await baton.json("scopes", "put", scope, "A scope");
  return scope;
}

async function freshClient(...options: Args): Promise<string> {
  const id = fresh("client");
  await baton.json("clients", "create", "--id", id, ...options);
  return id;
}

describe("baton clients create", () => {
  test("creates a client and shows its secret only once", async () => {
    const id = fresh("client");
    const { code, stdout, stderr } = await baton.run([
      "clients",
      "create",
      "--id",
      id,
      "--name",
      "Notes",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^client_id +${id}$`, "m"));
    expect(stdout).toMatch(/^client_name +Notes$/m);
    expect(stdout).toMatch(/^client_id_issued_at +20\d\d-\d\d-\d\dT[\d:]+Z$/m);
    const secret = /^client_secret +(baton_cs_\S+)$/m.exec(stdout)?.[1];
    expect(secret).toBeDefined();
    expect(stdout).toMatch(/^client_secret_expires_at +never$/m);
    expect(stdout).toContain("Store the client_secret now");

    const shown = await baton.run("clients", "show", id);
    expect(shown.code).toBe(0);
    expect(shown.stdout).not.toContain(secret);
  });

  test("sends every option to the API under the name of its field", async () => {
    const id = fresh("client");
    const first = await freshScope();
    const second = await freshScope();
    const created = await baton.json(
      ["clients", "create", "--id", id, "--name", "Notes"],
      ["--scope", `${first} ${second}`],
      ["--auth-method", "tls_client_auth"],
      ["--grant-type", "refresh_token"],
      ["--grant-type", "client_credentials"],
      ["--redirect-uri", "https://app.example.com/callback"],
      ["--redirect-uri", "http://localhost/callback"],
      ["--post-logout-redirect-uri", "https://app.example.com/signed-out"],
      ["--post-logout-redirect-uri", "http://localhost/signed-out"],
      ["--backchannel-logout-uri", "https://app.example.com/logout"],
      ["--backchannel-logout-session-required"],
      ["--resource", "https://api.example.com"],
      ["--resource", "https://files.example.com"],
      ["--resource-server", "https://api.example.com"],
      ["--no-require-pkce"],
      ["--refresh-without-offline-access"],
      ["--access-token-ttl", "PT10M", "--refresh-token-ttl", "P14D"],
      ["--refresh-token-max-age", "P6M"],
      ["--refresh-token-retry-window", "PT30S"],
      ["--catch-up", "P7D", "--dpop-bound"],
      ["--certificate-subject", "CN=notes", "--no-certificate-bound"],
      ["--access-token-format", "league"],
    );
    expect(created).toEqual({
      client_id: id,
      client_id_issued_at: expect.any(Number),
      client_name: "Notes",
      scope: `${first} ${second}`,
      token_endpoint_auth_method: "tls_client_auth",
      grant_types: ["refresh_token", "client_credentials"],
      redirect_uris: [
        "https://app.example.com/callback",
        "http://localhost/callback",
      ],
      post_logout_redirect_uris: [
        "https://app.example.com/signed-out",
        "http://localhost/signed-out",
      ],
      backchannel_logout_uri: "https://app.example.com/logout",
      backchannel_logout_session_required: true,
      resources: ["https://api.example.com", "https://files.example.com"],
      resource_server: "https://api.example.com",
      require_pkce: false,
      refresh_without_offline_access: true,
      access_token_ttl: "PT10M",
      refresh_token_ttl: "P14D",
      refresh_token_max_age: "P6M",
      refresh_token_retry_window: "PT30S",
      refresh_token_catch_up: "P7D",
      dpop_bound_access_tokens: true,
      tls_client_auth_subject_dn: "CN=notes",
      tls_client_certificate_bound_access_tokens: false,
      access_token_format: "league",
      credentials: [],
      // The test server reads no certificates.
      warnings: [expect.stringContaining("CLIENT_CERTIFICATES")],
    });
  });

  test("warns on standard error of a scheme that other apps may register too; with --json in the result", async () => {
    const [one, other] = [fresh("client"), fresh("client")];
    const uris: Args = [
      ["--redirect-uri", "cursor://anysphere.cursor-mcp/oauth/callback"],
      ["--redirect-uri", "https://app.example.com/callback"],
    ];
    const shown = await baton.run("clients", "create", "--id", one, ...uris);
    expect(shown.code).toBe(0);
    expect(shown.stderr).toMatch(
      /^Warning: The redirect URI cursor:\/\/anysphere\.cursor-mcp\/oauth\/callback .*RFC 8252 section 8\.4.*\n$/,
    );
    expect(shown.stdout).toMatch(/^redirect_uris +cursor:\/\//m);
    expect(shown.stdout).not.toMatch(/warning/i);
    const asJson = await baton.run(
      ["clients", "create", "--id", other, "--json"],
      ...uris,
    );
    expect(asJson).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      client_id: other,
      client_secret: expect.any(String),
      warnings: [expect.stringContaining("cursor://")],
    });
    expect(await baton.json("clients", "show", one)).not.toHaveProperty(
      "warnings",
    );
  });

  test("without --id, lets the server generate one", async () => {
    expect(await baton.json("clients", "create")).toMatchObject({
      client_id: expect.stringMatching(/^[\da-f-]{36}$/),
    });
  });

  test("--public creates a client without a secret", async () => {
    const { code, stdout } = await baton.run("clients", "create", "--public");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^token_endpoint_auth_method +none$/m);
    expect(stdout).not.toContain("client_secret");
    expect(stdout).not.toContain("Store the client_secret");
  });

  test("--public and --auth-method together are a usage error", async () => {
    const { code, stdout, stderr } = await baton.run(
      ["clients", "create", "--public"],
      ["--auth-method", "client_secret_post"],
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("cannot be used with option '--public'");
  });

  test("a value that the API refuses is an error that names the field", async () => {
    const refused = await baton.run("clients", "create", "--scope", "unheard");
    expect(refused).toEqual({
      code: 1,
      stdout: "",
      stderr:
        '--scope: unheard is not in the scope catalogue. Add it: npm run baton -- scopes put unheard "What it allows"\n',
    });
  });

  test("with --json, an error is the JSON of the API, on standard error", async () => {
    const { code, stdout, stderr } = await baton.run([
      "clients",
      "create",
      "--scope",
      "unheard",
      "--json",
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: "invalid_request",
      error_description: "scope: unheard is not in the scope catalogue",
      fields: { scope: "unheard is not in the scope catalogue" },
    });
  });
});

describe("baton clients list", () => {
  test("shows one line per client", async () => {
    const scope = await freshScope();
    const id = await freshClient("--name", "Notes", "--scope", scope);
    const { code, stdout } = await baton.run("clients", "list");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^CLIENT_ID +NAME +AUTHENTICATION +GRANT TYPES +SCOPE +REGISTERED BY *\n/,
    );
    expect(stdout).toMatch(
      new RegExp(
        `^${id} +Notes +secret +authorization_code refresh_token +${scope} *$`,
        "m",
      ),
    );
  });

  test("requests all pages from the API", async () => {
    const more = Array.from({ length: 101 }, () => fresh("client"));
    const { url, secrets } = baton.server;
    await Promise.all(
      more.map((client_id) =>
        fetch(`${url}/admin/clients`, {
          method: "POST",
          headers: {
            Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
            "Content-Type": "application/json",
          },
          body: JSON.stringify({
            client_id,
            token_endpoint_auth_method: "none",
          }),
        }),
      ),
    );
    const { clients } = (await baton.json("clients", "list")) as {
      clients: { client_id: string }[];
    };
    const ids = clients.map(({ client_id }) => client_id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(more));
  });

  test("a name cannot control the terminal", async () => {
    const id = await freshClient("--name", "a\u001b[2Jb\u009b1mc\u202ed");
    const escaped = "a\\u001b[2Jb\\u009b1mc\\u202ed";

    const list = await baton.run("clients", "list");
    expect(list.stdout).toMatch(new RegExp(`^${id} `, "m"));
    expect(list.stdout).toContain(escaped);
    const show = await baton.run("clients", "show", id);
    expect(show.stdout).toContain(escaped);
    const json = await baton.run("clients", "show", id, "--json");
    expect(json.stdout).toContain(escaped);
    expect(JSON.parse(json.stdout)).toMatchObject({
      client_name: "a\u001b[2Jb\u009b1mc\u202ed",
    });
    for (const { stdout } of [list, show, json])
      expect(stdout).not.toMatch(/[^\n\P{Cc}]|\u202e/u);
  });
});

describe("baton clients show", () => {
  test("shows each item of a list on a separate line", async () => {
    const id = await freshClient(
      ["--redirect-uri", "https://a.example.com/"],
      ["--redirect-uri", "https://b.example.com/"],
    );
    const { stdout } = await baton.run("clients", "show", id);
    expect(stdout).toMatch(
      /^redirect_uris +https:\/\/a\.example\.com\/\n +https:\/\/b\.example\.com\/$/m,
    );
  });

  test("a missing client is reported with its id", async () => {
    const id = fresh("client");
    expect(await baton.run("clients", "show", id)).toEqual({
      code: 1,
      stdout: "",
      stderr: `There is no client ${id}.\n`,
    });
  });
});

describe("baton clients update", () => {
  test("warns of a redirect URI that is new and has a scheme that other apps may register too", async () => {
    const id = await freshClient(["--redirect-uri", "myapp://one"]);
    const update = (...options: Args) =>
      baton.run("clients", "update", id, ...options);
    const both: Args = [
      ["--redirect-uri", "myapp://one"],
      ["--redirect-uri", "myapp://two"],
    ];
    const shown = await update(...both);
    expect(shown.code).toBe(0);
    expect(shown.stderr).toMatch(/^Warning: The redirect URI myapp:\/\/two /);
    expect(shown.stderr.match(/Warning/g)).toHaveLength(1);
    expect(shown.stdout).not.toMatch(/warning/i);
    expect(await update(...both)).toMatchObject({ code: 0, stderr: "" });
    const third = await baton.json(
      ["clients", "update", id],
      ["--redirect-uri", "myapp:/three"],
    );
    expect(third).toMatchObject({
      redirect_uris: ["myapp:/three"],
      warnings: [expect.stringContaining("myapp:/three")],
    });
  });

  test("changes the fields that are named and keeps the others", async () => {
    const id = await freshClient("--name", "before", "--resource", "urn:a");
    const updated = await baton.json("clients", "update", id, "--name", "now");
    expect(updated).toMatchObject({ client_name: "now", resources: ["urn:a"] });
  });

  test("--unset removes fields", async () => {
    const id = await freshClient([
      "--name",
      "Notes",
      "--access-token-ttl",
      "PT10M",
    ]);
    const updated = await baton.json(
      ["clients", "update", id],
      ["--unset", "client_name", "--unset", "access_token_ttl"],
    );
    expect(updated).not.toHaveProperty("client_name");
    expect(updated).not.toHaveProperty("access_token_ttl");
  });

  test("--no-require-pkce waives PKCE, until --require-pkce or --unset takes it back", async () => {
    const id = await freshClient();
    const update = (...options: string[]) =>
      baton.json("clients", "update", id, ...options);
    const unset = ["--unset", "require_pkce"];
    expect(await update("--name", "Speaker")).not.toHaveProperty(
      "require_pkce",
    );
    const waived = { require_pkce: false };
    expect(await update("--no-require-pkce")).toMatchObject(waived);
    expect(await update("--name", "Lamp")).toMatchObject(waived);
    const { stdout } = await baton.run("clients", "show", id);
    expect(stdout).toMatch(/^require_pkce +false$/m);
    expect(await update("--require-pkce")).toMatchObject({
      require_pkce: true,
    });
    expect(await update(...unset)).not.toHaveProperty("require_pkce");
  });

  test("--no-require-pkce is refused for a public client, also when it becomes public", async () => {
    const refused = {
      code: 1,
      stdout: "",
      stderr:
        "--require-pkce: must not be false for a public client, because only PKCE protects its codes. Remove it or set it to true\n",
    };
    const waiver = "--no-require-pkce";
    const id = await freshClient(waiver);
    const update = ["clients", "update", id];
    expect(await baton.run("clients", "create", "--public", waiver)).toEqual(
      refused,
    );
    expect(await baton.run(update, "--public")).toEqual(refused);
    const changed = await baton.json(update, "--public", [
      "--unset",
      "require_pkce",
    ]);
    expect(changed).toMatchObject({ token_endpoint_auth_method: "none" });
  });

  test("--unset of an unknown field is refused by the API", async () => {
    const id = await freshClient();
    expect(
      await baton.run("clients", "update", id, "--unset", "nonsense"),
    ).toEqual({
      code: 1,
      stdout: "",
      stderr: "nonsense: is not a field of this request\n",
    });
  });

  test("nothing to change is a usage error", async () => {
    const { code, stderr } = await baton.run("clients", "update", "any");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^There is nothing to change\. /);
  });

  test("a field that is both set and removed is a usage error", async () => {
    const update = ["clients", "update", "any", "--name", "Notes"];
    expect(await baton.run(update, "--unset", "client_name")).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "client_name cannot be both set and removed. Leave out one of the two options.\n",
    });
  });
});

describe("baton clients delete", () => {
  test("deletes the client, and says so", async () => {
    const id = await freshClient();
    expect(await baton.run("clients", "delete", id, "--yes")).toEqual({
      code: 0,
      stdout: `Deleted the client ${id}.\n`,
      stderr: "",
    });
    expect((await baton.run("clients", "show", id)).code).toBe(1);
  });
});

describe("baton clients rotate-secret", () => {
  test("shows a new secret; the old one stops working after 24 hours", async () => {
    const id = await freshClient();
    const { code, stdout } = await baton.run("clients", "rotate-secret", id);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^client_secret +baton_cs_\S+$/m);
    expect(stdout).toContain("Store the client_secret now");

    const { credentials } = (await baton.json("clients", "show", id)) as {
      credentials: { created_at: number; expires_at?: number }[];
    };
    expect(credentials).toEqual([
      { created_at: expect.any(Number) },
      { created_at: expect.any(Number), expires_at: expect.any(Number) },
    ]);
    const [newest, old] = credentials;
    expect(old!.expires_at! - newest!.created_at).toBe(24 * 60 * 60);
  });

  test("--old-secret-ttl PT0S makes the old secret stop working at once", async () => {
    const id = await freshClient();
    const rotated = await baton.json([
      "clients",
      "rotate-secret",
      id,
      "--old-secret-ttl",
      "PT0S",
    ]);
    expect(rotated).toMatchObject({
      credentials: [{ created_at: expect.any(Number) }],
    });
  });
});
