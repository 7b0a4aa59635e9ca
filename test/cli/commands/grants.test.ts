import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { expect, describe, test } from "vitest";
import {
  type Args,
  batonWithServer,
  fresh,
  run,
  temporaryDirectory,
} from "../support.ts";

const baton = batonWithServer();

interface Grant {
  grant_id: string;
  client_id: string;
  scope: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
}

async function grantsOf(subject: string): Promise<Grant[]> {
  const list = await baton.json("grants", "list", subject);
  return (list as { grants: Grant[] }).grants;
}

/** Creates a client and a user with this number of grants. */
async function createGrants(count: number) {
  const [client, subject] = [fresh("client"), fresh("user")];
  await baton.json("clients", "create", "--id", client);
  for (let n = 1; n <= count; n++)
    await baton.json(
      ["grants", "create", "--client", client],
      ["--subject", subject],
    );
  return { client, subject };
}

function utc(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

describe("baton grants create", () => {
  test("creates a grant and shows the first tokens", async () => {
    const client = fresh("client");
    await baton.json("clients", "create", "--id", client);
    const { code, stdout, stderr } = await baton.run([
      "grants",
      "create",
      "--client",
      client,
      "--subject",
      "alice",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^token_type +Bearer$/m);
    expect(stdout).toMatch(/^expires_in +3600$/m);
    expect(stdout).toMatch(/^refresh_token +baton_rt_\S+$/m);
    expect(stdout).toMatch(/^access_token +eyJ\S+$/m);
  });

  test("sends scope and resources to the API", async () => {
    const client = fresh("client");
    const [read, write] = [fresh("scope"), fresh("scope")];
    await baton.json("scopes", "put", read, "Read");
    await baton.json("scopes", "put", write, "Write");
    await baton.json(
      ["clients", "create", "--id", client, "--scope", `${read} ${write}`],
      ["--resource", "https://a.example", "--resource", "https://b.example"],
    );
    const tokens = (await baton.json(
      ["grants", "create", "--client", client, "--subject", "alice"],
      ["--scope", read],
      ["--resource", "https://a.example", "--resource", "https://b.example"],
    )) as { access_token: string; scope: string };
    expect(tokens.scope).toBe(read);
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      sub: "alice",
      client_id: client,
      scope: read,
      aud: ["https://a.example", "https://b.example"],
    });
  });

  test("binds a login to the key of --dpop-jkt, which is shown as a token's", async () => {
    const client = fresh("client");
    await baton.json("clients", "create", "--id", client, "--public");
    const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const { token_type, access_token } = (await baton.json(
      ["grants", "create", "--client", client, "--subject", "alice"],
      ["--dpop-jkt", jkt],
    )) as { token_type: string; access_token: string };
    expect(token_type).toBe("DPoP");
    expect(decodeJwt(access_token)["cnf"]).toEqual({ jkt });
    const grantId = Buffer.from(
      decodeJwt(access_token).jti?.slice(0, 43) ?? "",
      "base64url",
    ).toString("hex");
    const { stdout } = await baton.run("grants", "show", grantId);
    const inspected = await run("baton", ["token", "inspect"], {
      input: access_token,
    });
    for (const shown of [stdout, inspected.stdout])
      expect(shown).toMatch(new RegExp(`^cnf +jkt ${jkt}$`, "m"));
  });

  test("binds the access token to the certificate of --certificate-thumbprint", async () => {
    const client = fresh("client");
    const create: Args = [
      ["grants", "create", "--client", client, "--subject", "alice"],
    ];
    await baton.json(
      "clients",
      "create",
      "--id",
      client,
      "--certificate-bound",
    );
    const refused = await baton.run(...create);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^--certificate-thumbprint: is missing/);
    const thumbprint = "7zO5odTrSpKMVlVrP8A7skHx1sqFAd6B67NhJS9vDLk";
    const { access_token } = (await baton.json(...create, [
      "--certificate-thumbprint",
      thumbprint,
    ])) as { access_token: string };
    expect(decodeJwt(access_token)["cnf"]).toEqual({ "x5t#S256": thumbprint });
  });

  test("a missing client is an error that names the field", async () => {
    expect(
      await baton.run([
        "grants",
        "create",
        "--client",
        "nobody",
        "--subject",
        "alice",
      ]),
    ).toEqual({
      code: 1,
      stdout: "",
      stderr: "--client: there is no such client\n",
    });
  });

  test("a missing subject is a usage error", async () => {
    const { code, stdout, stderr } = await baton.run([
      "grants",
      "create",
      "--client",
      "web",
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("required option '--subject <subject>'");
  });
});

describe("baton grants list", () => {
  test("shows one line per grant, with times in UTC", async () => {
    const { client, subject } = await createGrants(2);
    const grants = await grantsOf(subject);
    const { code, stdout, stderr } = await baton.run("grants", "list", subject);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head).toMatch(
      /^GRANT_ID +CLIENT_ID +SCOPE +CREATED +LAST USED +EXPIRES$/,
    );
    // The grants have no scope, so its column is empty.
    expect(new Set(lines.map((line) => line.split(/ +/)))).toEqual(
      new Set(
        grants.map(({ grant_id, created_at, last_used_at, expires_at }) => [
          grant_id,
          client,
          utc(created_at),
          utc(last_used_at),
          utc(expires_at),
        ]),
      ),
    );
  });

  test("requests all pages from the API", async () => {
    const [client, subject] = [fresh("client"), fresh("user")];
    await baton.json("clients", "create", "--id", client);
    const { url, secrets } = baton.server;
    const createGrant = () =>
      fetch(`${url}/admin/grants`, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
          "Content-Type": "application/json",
        },
        body: JSON.stringify({ client_id: client, subject }),
      });
    await Promise.all(Array.from({ length: 101 }, createGrant));
    const ids = (await grantsOf(subject)).map(({ grant_id }) => grant_id);
    expect([ids.length, new Set(ids).size]).toEqual([101, 101]);
  });

  test("shows the scope of each grant", async () => {
    const [client, scope, subject] = [
      fresh("client"),
      fresh("scope"),
      fresh("user"),
    ];
    await baton.json("scopes", "put", scope, "Read");
    await baton.json("clients", "create", "--id", client, "--scope", scope);
    await baton.json(
      ["grants", "create", "--client", client],
      ["--subject", subject],
    );
    const { stdout } = await baton.run("grants", "list", subject);
    expect(stdout).toMatch(new RegExp(` ${client} +${scope} +2`));
  });

  test("with --json, prints the response of the API", async () => {
    const { client, subject } = await createGrants(1);
    expect(await baton.json("grants", "list", subject)).toEqual({
      grants: [
        {
          grant_id: expect.stringMatching(/^[0-9a-f]{64}$/),
          client_id: client,
          scope: "",
          created_at: expect.any(Number),
          last_used_at: expect.any(Number),
          expires_at: expect.any(Number),
        },
      ],
    });
  });

  test("says that a user is not logged in anywhere", async () => {
    const subject = fresh("user");
    expect(await baton.run("grants", "list", subject)).toEqual({
      code: 0,
      stdout: `${subject} is not logged in anywhere.\n`,
      stderr: "",
    });
    expect(await baton.json("grants", "list", subject)).toEqual({ grants: [] });
  });
});

describe("baton grants show", () => {
  test("shows one grant, with its user and its times", async () => {
    const { client, subject } = await createGrants(1);
    const [grant] = await grantsOf(subject);
    const show = ["grants", "show", grant!.grant_id];
    expect(await baton.json(show)).toMatchObject({
      ...grant,
      subject,
      resource: [],
      generation: 1,
    });
    const { code, stdout } = await baton.run(show);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^subject +${subject}$`, "m"));
    expect(stdout).toMatch(new RegExp(`^client_id +${client}$`, "m"));
    expect(stdout).toMatch(
      new RegExp(`^created_at +${utc(grant!.created_at)}$`, "m"),
    );
  });

  test("says that there is no such grant", async () => {
    expect(await baton.run("grants", "show", "nonsense")).toEqual({
      code: 1,
      stdout: "",
      stderr: "There is no such grant, or it has ended.\n",
    });
  });
});

describe("baton grants list --client", () => {
  test("lists the grants of a user at one client", async () => {
    const { client, subject } = await createGrants(2);
    const other = fresh("client");
    await baton.json("clients", "create", "--id", other);
    const grant = ["grants", "create", "--client", other];
    await baton.json(grant, ["--subject", subject]);
    const list = ["grants", "list", "--subject", subject];
    const of = async (...filter: string[]) => {
      const { grants } = (await baton.json(list, filter)) as {
        grants: Grant[];
      };
      return grants.map(({ client_id }) => client_id);
    };
    expect(await of("--client", client)).toEqual([client, client]);
    expect(await of("--client", other)).toEqual([other]);
    expect(await of()).toHaveLength(3);
    expect(await baton.run(list, ["--client", "nobody"])).toMatchObject({
      code: 0,
      stdout: `${subject} is not logged in at nobody.\n`,
    });
  });

  test.each<[string, string[], string]>([
    ["no user", [], "The user is missing"],
    ["two users", ["alice", "--subject", "bob"], "named twice"],
  ])("refuses %s", async (_, args, text) => {
    const { code, stderr } = await baton.run("grants", "list", ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(text);
  });
});

describe("the claims of a grant", () => {
  /** Creates a grant with options for claims. @returns its id, and its first access token */
  async function grantWith(...options: string[]) {
    const [client, subject] = [fresh("client"), fresh("user")];
    await baton.json("clients", "create", "--id", client);
    const tokens = (await baton.json(
      ["grants", "create", "--client", client],
      ["--subject", subject, ...options],
    )) as { access_token: string };
    const [grant] = await grantsOf(subject);
    return { ...tokens, id: grant!.grant_id };
  }

  const signIn =
    "--auth-time 2026-01-01T00:00:00Z --acr urn:example:high --amr pwd --amr otp --sid session-1".split(
      " ",
    );

  test("are given by options, in JSON or in a file, and shown", async () => {
    const path = join(temporaryDirectory(), "alice.json");
    writeFileSync(path, '{"email": "alice@example.com"}');
    const { access_token, id } = await grantWith(
      ...signIn,
      "--claims",
      '{"roles": ["editor"]}',
      "--id-token-claims",
      `@${path}`,
      "--userinfo",
      '{"name": "Alice"}',
    );
    expect(decodeJwt(access_token)).toMatchObject({
      roles: ["editor"],
      auth_time: 1_767_225_600,
      acr: "urn:example:high",
      amr: ["pwd", "otp"],
    });
    expect(await baton.json("grants", "show", id)).toMatchObject({
      sid: "session-1",
      id_token_claims: { email: "alice@example.com" },
      userinfo: { name: "Alice" },
    });
    const { stdout } = await baton.run("grants", "show", id);
    expect(stdout).toMatch(/^claims +\{"roles":\["editor"\]\}$/m);
    expect(stdout).toMatch(/^auth_time +2026-01-01T00:00:00Z$/m);
  });

  test("are changed and removed by grants update, also from standard input", async () => {
    const { id } = await grantWith(...signIn, "--claims", '{"a": 1}');
    const update = ["grants", "update", id, "--json"];
    const { url, secrets } = baton.server;
    const { stdout, code } = await run(
      "baton",
      [...update, "--claims", "-", "--amr", "hwk"],
      {
        env: { BATON_URL: url, BATON_ADMIN_TOKEN: secrets.ADMIN_TOKEN },
        input: '{"roles": []}',
      },
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      claims: { roles: [] },
      amr: ["hwk"],
      acr: "urn:example:high",
    });
    const unset = await baton.json(
      ["grants", "update", id, "--unset", "claims"],
      ["--unset", "acr"],
    );
    expect(unset).not.toHaveProperty("claims");
    expect(unset).not.toHaveProperty("acr");
    expect(unset).toMatchObject({ amr: ["hwk"], sid: "session-1" });
  });

  test("that are wrong are refused by the option's name, without their value", async () => {
    const update = ["grants", "update", "0".repeat(64)];
    const problem = async (...options: string[]) => {
      const { code, stdout, stderr } = await baton.run(update, options);
      expect(stdout).toBe("");
      expect(stderr).not.toContain("geheim");
      return [code, stderr];
    };
    expect(await problem("--claims", '{"sub": "geheim"}')).toEqual([
      1,
      expect.stringMatching(/^--claims\.sub: is a claim that Baton sets/),
    ]);
    expect(await problem("--id-token-claims", "geheim")).toEqual([
      1,
      expect.stringMatching(/^--id-token-claims is not valid JSON/),
    ]);
    expect(await problem("--userinfo", "@nowhere.json")).toEqual([
      1,
      expect.stringContaining("There is no file nowhere.json"),
    ]);
    expect(await problem("--claims", "-", "--userinfo", "-")).toEqual([
      2,
      expect.stringMatching(/^--claims and --userinfo cannot both/),
    ]);
    expect(await problem("--auth-time", "yesterday")).toEqual([
      2,
      expect.stringContaining("2026-12-01T10:00:00Z"),
    ]);
    expect(await problem("--acr", "a", "--unset", "acr")).toEqual([
      2,
      expect.stringContaining("acr cannot be both set and removed"),
    ]);
    expect(await problem()).toEqual([
      2,
      expect.stringContaining("There is nothing to change"),
    ]);
    expect(await problem("--acr", "a")).toEqual([
      1,
      "There is no such grant, or it has ended.\n",
    ]);
  });
});

describe("baton grants revoke", () => {
  test("revokes one grant, says so, and keeps the others", async () => {
    const { subject } = await createGrants(2);
    const [one, other] = await grantsOf(subject);
    const id = one?.grant_id ?? "";
    expect(await baton.run("grants", "revoke", id)).toEqual({
      code: 0,
      stdout: `Revoked the grant ${id}.\n`,
      stderr: "",
    });
    expect(await grantsOf(subject)).toEqual([other]);
  });

  test("can be repeated, also with --json", async () => {
    const { subject } = await createGrants(1);
    const [grant] = await grantsOf(subject);
    const id = grant?.grant_id ?? "";
    const revoke = ["grants", "revoke", id];
    expect(await baton.json(revoke)).toEqual({ revoked: id });
    expect(await baton.json(revoke)).toEqual({ revoked: id });
  });

  test("a wrong grant_id is reported with the message of the API", async () => {
    expect(await baton.run("grants", "revoke", "nonsense")).toEqual({
      code: 1,
      stdout: "",
      stderr: "There is no such grant, or it has ended.\n",
    });
  });
});
