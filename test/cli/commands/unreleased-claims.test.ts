import { beforeAll, describe, expect, test } from "vitest";
import { batonWithServer, fresh, type Outcome } from "../support.ts";

const baton = batonWithServer();

let client: string;

beforeAll(async () => {
  client = fresh("client");
  for (const scope of ["openid", "email", "profile"])
    await baton.json("scopes", "put", scope);
  await baton.json("scopes", "put", "team", "Teams", "--claims", "team");
  await baton.json(
    ["clients", "create", "--id", client],
    ["--scope", "openid email profile team"],
  );
});

function create(scope: string, ...options: string[]): Promise<Outcome> {
  return baton.run(
    ["grants", "create", "--client", client, "--subject", fresh("user")],
    ["--scope", scope, ...options],
  );
}

const claims = '{"email": "alice@example.com", "email_verified": true}';

describe("baton grants create warns", () => {
  test("about a claim of the user that no granted scope releases", async () => {
    const { code, stdout, stderr } = await create(
      "openid profile",
      "--id-token-claims",
      claims,
      "--userinfo",
      '{"name#ja": "A", "team": "red", "shoe": 9}',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^id_token +eyJ/m);
    expect(stderr.trimEnd().split("\n")).toEqual(
      ["email", "email_verified", "team", "shoe"].map(
        (name) => `Warning: ${name} is given, but no granted scope releases it`,
      ),
    );
  });

  test("if openid is not granted, because then nobody gets the claims", async () => {
    const { code, stderr } = await create("email", "--userinfo", claims);
    expect([code, stderr]).toEqual([
      0,
      "Warning: userinfo is given, but the scope openid is not granted, so no app gets these claims\n",
    ]);
  });
});

describe("baton grants create warns of nothing", () => {
  test("if the scopes release all claims, by the standard or by the catalogue", async () => {
    const { stderr } = await create(
      "openid email team",
      "--id-token-claims",
      claims,
      "--userinfo",
      '{"team": "red"}',
    );
    expect(stderr).toBe("");
  });

  test("without claims of the user", async () => {
    const { stderr } = await create("email", "--claims", '{"shoe": 9}');
    expect(stderr).toBe("");
  });

  test("with --json", async () => {
    const args = ["--userinfo", claims, "--json"];
    expect(await create("profile", ...args)).toMatchObject({
      code: 0,
      stderr: "",
    });
  });
});
