import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { batonWithServer, fresh, run } from "../support.ts";

const baton = batonWithServer();

/** Inspects a text on standard input. No server is named. */
async function inspect(input: string) {
  const { code, stdout, stderr } = await run(
    "baton",
    ["token", "inspect", "--json"],
    { input },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Logs a user in at a new client. */
async function logIn() {
  const scope = fresh("scope");
  await baton.json("scopes", "put", scope, "Read");
  const { client_id, client_secret } = (await baton.json("clients", "create", [
    "--scope",
    scope,
    "--redirect-uri",
    "http://localhost/callback",
  ])) as { client_id: string; client_secret: string };
  const tokens = (await baton.json("grants", "create", [
    "--client",
    client_id,
    "--subject",
    "alice",
  ])) as { access_token: string; refresh_token: string };
  const { grants } = (await baton.json("grants", "list", "alice")) as {
    grants: { grant_id: string; client_id: string; expires_at: number }[];
  };
  const grant = grants.find((grant) => grant.client_id === client_id);
  return { client_id, client_secret, scope, ...tokens, grant };
}

/** Writes a signed JWT, whose signature nobody checks. */
function jwt(...parts: object[]): string {
  return [...parts.map((one) => JSON.stringify(one)), "signature"]
    .map((one) => Buffer.from(one).toString("base64url"))
    .join(".");
}

describe("baton token inspect", () => {
  test("reads a refresh token, without its secret parts", async () => {
    const { refresh_token, grant } = await logIn();
    const inspected = await inspect(refresh_token);
    expect(inspected).toMatchObject({
      kind: "refresh_token",
      verified: false,
      expired: false,
      grant_id: grant?.grant_id,
      generation: 1,
      expires_at: grant?.expires_at,
      encryption_kid: expect.stringMatching(/^[\w-]{6}$/),
      // What ends a login depends on its client and its key.
      about: expect.stringMatching(
        /ends the login, unless .*retry_window.*catch_up.*bound to a key/,
      ),
    });
    expect(JSON.stringify(inspected)).not.toContain(
      refresh_token.slice(80, 100),
    );
  });

  test("reads an access token: header, claims, the grant, and times that people can read", async () => {
    const { access_token, client_id, scope, grant } = await logIn();
    expect(await inspect(`Bearer ${access_token}\n`)).toMatchObject({
      kind: "access_token",
      verified: false,
      expired: false,
      grant_id: grant?.grant_id,
      header: { alg: "ES256", typ: "at+jwt", kid: expect.any(String) },
      claims: { sub: "alice", client_id, scope },
    });
    const { stdout } = await run("baton", ["token", "inspect"], {
      input: access_token,
    });
    // Rounded down, so it is an hour only within the second in which the token was made.
    expect(stdout).toMatch(
      /^exp +\d{4}-\d\d-\d\dT[\d:]+Z \(in (?:1 hour|59 minutes)\)$/m,
    );
    expect(stdout).toMatch(/^verified +no, only a server can do that$/m);
  });

  test("reads an ID token: it says that it is one, whose it is, and that it gives access to nothing", async () => {
    await baton.json("scopes", "put", "openid", "Know who you are");
    const { client_id } = (await baton.json("clients", "create", [
      "--scope",
      "openid",
    ])) as { client_id: string };
    const { id_token } = (await baton.json("grants", "create", [
      "--client",
      client_id,
      "--subject",
      fresh("user"),
    ])) as { id_token: string };
    const inspected = await inspect(id_token);
    const { sub } = inspected["claims"] as { sub: string };
    const { grants } = (await baton.json("grants", "list", sub)) as {
      grants: { grant_id: string }[];
    };
    expect(inspected).toMatchObject({
      kind: "id_token",
      about: expect.stringContaining("gives access to nothing"),
      verified: false,
      expired: false,
      grant_id: grants[0]?.grant_id,
      header: { typ: "JWT" },
      claims: { aud: client_id },
    });
  });

  test("says that an access token is bound to a key, and tells a DPoP proof from a token", async () => {
    const cnf = { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" };
    const bound = jwt({ alg: "ES256", typ: "at+jwt" }, { sub: "alice", cnf });
    expect(await inspect(`DPoP ${bound}`)).toMatchObject({
      kind: "access_token",
      about: expect.stringContaining("It is bound to the key"),
      claims: { cnf },
    });
    const { stdout } = await run("baton", ["token", "inspect"], {
      input: bound,
    });
    expect(stdout).toContain(cnf.jkt);
    const proof = { jti: "1", htm: "GET", htu: "https://api.example.com/" };
    expect(
      await inspect(jwt({ alg: "ES256", typ: "dpop+jwt", jwk: {} }, proof)),
    ).toMatchObject({ kind: "dpop_proof", claims: proof });
  });

  test.each(["client-authentication+jwt", "JWT", undefined])(
    "knows a client assertion with the typ %s, and says that it was not verified",
    async (typ) => {
      const claims = {
        iss: "app",
        sub: "app",
        aud: "https://a.example",
        exp: 1,
      };
      expect(await inspect(jwt({ alg: "ES256", typ }, claims))).toMatchObject({
        kind: "client_assertion",
        about: expect.stringMatching(
          /private_key_jwt.*The signature was not checked/,
        ),
        verified: false,
        expired: true,
        claims,
      });
    },
  );

  test("does not take the JWT of another server for an ID token", async () => {
    const part = (content: object) =>
      Buffer.from(JSON.stringify(content)).toString("base64url");
    const header = part({ alg: "RS256", typ: "JWT" });
    const inspected = await inspect(`${header}.${part({ jti: "1" })}.AAAA`);
    expect(inspected["kind"]).toBe("signed_jwt");
  });

  test("knows an authorization request and a code, which are encrypted", async () => {
    const { client_id, scope } = await logIn();
    const query = new URLSearchParams({
      response_type: "code",
      client_id,
      redirect_uri: "http://localhost/callback",
      scope,
      code_challenge: randomBytes(32).toString("base64url"),
      code_challenge_method: "S256",
    });
    const redirect = await fetch(
      `${baton.server.url}/authorize?${query.toString()}`,
      {
        redirect: "manual",
      },
    );
    const login = new URL(redirect.headers.get("Location") ?? "");
    const request = login.searchParams.get("request") ?? "";
    expect((await inspect(request))["kind"]).toBe("authorization_request");
    const decided = await fetch(`${baton.server.url}/admin/authorizations`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${baton.server.secrets.ADMIN_TOKEN}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ request, subject: "alice" }),
    });
    const { redirect_to } = (await decided.json()) as { redirect_to: string };
    const code = new URL(redirect_to).searchParams.get("code") ?? "";
    expect((await inspect(code))["kind"]).toBe("authorization_code");
  });

  test.each([
    ["a client secret", `baton_cs_${"x".repeat(43)}`, "client_secret"],
    ["a named admin token", `baton_admin_${"x".repeat(51)}`, "admin_token"],
    ["a league token", `def50200${"0a".repeat(200)}`, "league_token"],
    ["a private JWK", `{"kty":"EC","crv":"P-256","d":"AA"}`, "private_key"],
    ["a public JWK", `{"kty":"EC","crv":"P-256","x":"AA"}`, "public_key"],
    ["random bytes", randomBytes(32).toString("base64"), "random_bytes"],
    ["a cut refresh token", "baton_rt_AQECAwQ", "refresh_token"],
  ])("knows %s, and repeats none of it", async (_what, text, kind) => {
    const inspected = await inspect(text);
    expect(inspected["kind"]).toBe(kind);
    expect(JSON.stringify(inspected)).not.toContain(text);
  });

  test("says that it does not know other text", async () => {
    const { code, stderr } = await run("baton", ["token", "inspect"], {
      input: "hello",
    });
    expect(code).toBe(1);
    expect(stderr).toContain("The input is no token");
    const nothing = await run("baton", ["token", "inspect"]);
    expect(nothing.stderr).toBe("There was no token in the input.\n");
  });

  test("does not take a token from the command line, and does not repeat it", async () => {
    const { code, stderr } = await run("baton", [
      "token",
      "inspect",
      "baton_rt_x",
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain("The token is not taken from the command line");
    expect(stderr).not.toContain("baton_rt_x");
  });
});
