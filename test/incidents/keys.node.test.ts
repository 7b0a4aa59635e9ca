import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../src/cli/local/wrangler.ts";
import type { ServerKey } from "../../src/cli/keys/server-key.ts";
import { start, temporaryProject } from "../cli/support.ts";
import { commandInText, commandsOf } from "./page.ts";
import { type Answer, type Credentials, eventually, Stage } from "./server.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

/**
 * Plays the incidents whose commands change secrets, at a server of `npm run dev`. Not tried: the minute that a secret
 * takes to reach every location.
 */

let directory: string;
let dev: ReturnType<typeof start>;
let terminal: Terminal;
let stage: Stage;
let web: Credentials;

const redirectUri = "https://app.example.com/callback";

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "baton-test-"));
  temporaryProject(directory);
  const port = await freePort();
  dev = start("dev", ["--port", String(port)], {
    directory,
    env: {
      TMPDIR: join(directory, "tmp"),
      WRANGLER_REGISTRY_PATH: join(directory, "registry"),
    },
  });
  await dev.waitForOutput("--subject alice\n");
  const BATON_URL = `http://localhost:${port}`;
  terminal = openTerminal({
    env: { BATON_URL, BATON_ADMIN_TOKEN: secrets()["ADMIN_TOKEN"] ?? "" },
    checkout: directory,
    options: {
      "keys leaked": "--local --yes",
      // A key of this day exists already, and a quarter of an hour is too long for a test.
      "keys rotate": "--local --yes --label LATER --after PT1S",
      "keys retire": "--local --yes",
    },
  });
  const output = () => dev.output.stdout + dev.output.stderr;
  stage = new Stage(
    BATON_URL,
    () => terminal.env["BATON_ADMIN_TOKEN"]!,
    output,
  );
  web = await stage.makeClient({
    client_id: "web",
    redirect_uris: [redirectUri],
  });
});

afterAll(async () => {
  terminal.close();
  dev.child.kill("SIGTERM");
  await dev.outcome();
  rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
});

function secrets(): NodeJS.Dict<string> {
  return parseEnv(readFileSync(join(directory, ".dev.vars"), "utf8"));
}

async function keys(): Promise<ServerKey[]> {
  const output = await terminal.type("npm run -s baton -- keys show --json");
  return (JSON.parse(output) as { keys: ServerKey[] }).keys;
}

/** An API that verifies access tokens with the keys that it has fetched. */
async function freshApi() {
  const response = await fetch(`${stage.url}/.well-known/jwks.json`);
  const keySet = createLocalJWKSet(await response.json());
  return {
    maxAge: response.headers.get("Cache-Control"),
    believes: (token = "") =>
      jwtVerify(token, keySet, { issuer: stage.url }).then(
        ({ payload }) => payload.sub,
        () => false,
      ),
  };
}

/** Forges an access token with a private key that has leaked. */
async function forge(
  leaked: string,
  like: string,
  claims: JWTPayload = {},
): Promise<string> {
  const key = await importJWK(JSON.parse(leaked) as object, "ES256");
  return new SignJWT({ ...decodeJwt(like), ...claims })
    .setProtectedHeader(decodeProtectedHeader(like) as { alg: string })
    .sign(key);
}

/** Begins a sign-in in a browser. @returns the address of the sign-in page */
async function signInPage(
  client_id = "web",
  redirect_uri = redirectUri,
): Promise<string> {
  const query = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri,
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
  });
  const answer = await fetch(`${stage.url}/authorize?${query.toString()}`, {
    redirect: "manual",
  });
  return new URL(answer.headers.get("Location") ?? "", stage.url).href;
}

/** A user follows a thief's link and signs in. @returns the tokens that the thief gets with the code */
async function lure(client_id: string, redirect_uri: string): Promise<Answer> {
  const page = new URL(await signInPage(client_id, redirect_uri));
  const answer = await fetch(new URL("/dev/login", page), {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({
      request: page.searchParams.get("request") ?? "",
      subject: "victim",
      scope: "read",
      answer: "allow",
    }),
  });
  const code = new URL(answer.headers.get("Location") ?? "").searchParams.get(
    "code",
  );
  return stage.token({
    grant_type: "authorization_code",
    client_id,
    redirect_uri,
    code: code ?? "",
    code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
  });
}

const statusOf = async (url: string) => (await fetch(url)).status;

describe("`PRIVATE_KEY` has leaked", () => {
  test("the forger is believed until the JWKS is fetched anew, and nobody is logged out", async () => {
    const alice = await stage.login(web, "alice");
    const signIn = await signInPage();
    expect(await statusOf(signIn)).toBe(200);
    const leaked = secrets()["PRIVATE_KEY"] ?? "";
    const forged = await forge(leaked, alice.access_token, { sub: "victim" });
    const copied = await forge(leaked, alice.access_token, { extra: 1 });
    const cachedApi = await freshApi();
    expect(await cachedApi.believes(forged)).toBe("victim");
    expect(await stage.isActive(web, copied)).toBe(true);

    const [commands = ""] = commandsOf("`PRIVATE_KEY` has leaked");
    const before = Date.now();
    const output = await terminal.type(commands);
    expect(output).toContain("PRIVATE_KEY is removed.");
    const [, until = ""] =
      /believes forged tokens until (\S+Z)/.exec(output) ?? [];
    const sixMinutes = 360_000;
    expect(Date.parse(until)).toBeGreaterThanOrEqual(before + sixMinutes);
    expect(Date.parse(until)).toBeLessThanOrEqual(
      Date.now() + sixMinutes + 1000,
    );

    // It is over: at once at introspection, and at an API when it reads the JWKS again.
    expect(await stage.isActive(web, copied)).toBe(false);
    expect(await cachedApi.believes(forged)).toBe("victim");
    const api = await freshApi();
    expect(api.maxAge).toContain("max-age=300");
    expect(await api.believes(forged)).toBe(false);
    const left = (await keys()).map(({ secret }) => secret);
    expect(left).not.toContain("PRIVATE_KEY");

    // It costs: the access token, and the sign-in that was under way. Nobody is logged out.
    expect(await api.believes(alice.access_token)).toBe(false);
    expect(await statusOf(signIn)).toBe(400);
    const refreshed = await stage.refresh(web, alice.refresh_token);
    expect(await api.believes(refreshed.access_token)).toBe("alice");
  });
});

describe("`ENCRYPTION_KEY` has leaked", () => {
  const [rotate = "", leaked = "", logout = ""] = commandsOf(
    "`ENCRYPTION_KEY` has leaked",
  );

  test("with other things: all users sign in again, and access tokens go on", async () => {
    const alice = await stage.login(web, "alice");
    const output = await terminal.type(leaked);
    expect(output).toContain("ENCRYPTION_KEY is removed.");
    const left = (await keys()).map(({ secret }) => secret);
    expect(left).not.toContain("ENCRYPTION_KEY");

    const refused = await stage.refresh(web, alice.refresh_token);
    expect(refused.error).toBe("invalid_grant");
    await eventually(() => stage.log).toContainEqual(
      expect.objectContaining({ reason: "refresh_token_forged" }),
    );
    const api = await freshApi();
    expect(await api.believes(alice.access_token)).toBe("alice");

    // A thief who was faster has a token of the new key, until step 3.
    const thief = await stage.login(web, "alice");
    await terminal.type(logout);
    expect(await stage.refresh(web, thief.refresh_token)).toMatchObject({
      error: "invalid_grant",
    });
  });

  test("alone: a rotation logs nobody out, and the old key stays until it is not needed", async () => {
    const old = (await keys()).find(
      ({ kind, state }) => kind === "encryption" && state === "making",
    );
    await eventually(() =>
      stage.login(web, "bob").catch(() => undefined),
    ).toBeDefined();
    const bob = await stage.login(web, "bob");
    await terminal.type(rotate);
    await eventually(keys).toContainEqual(
      expect.objectContaining({
        secret: "ENCRYPTION_KEY_LATER",
        state: "making",
      }),
    );
    const refreshed = await stage.refresh(web, bob.refresh_token);
    expect(refreshed.refresh_token).toBeDefined();
    const retire = commandInText("npm run baton -- keys retire ENCRYPTION_KEY");
    const own = { ENCRYPTION_KEY: old?.secret ?? "" };
    await expect(terminal.type(retire, own)).rejects.toThrow(
      "tokens that it has made may be in use until",
    );
  });
});

describe("An admin token has leaked", () => {
  const [, replace = "", others = "", endLogins = ""] = commandsOf(
    "An admin token has leaked",
  );

  test("ADMIN_TOKEN: what it made is found in the log, and ended; users' own logins go on", async () => {
    const leaked = terminal.env["BATON_ADMIN_TOKEN"] ?? "";
    const shop = await stage.makeClient({
      client_id: "shop",
      token_endpoint_auth_method: "none",
      redirect_uris: [redirectUri],
    });
    const actors = ["root", "token:unknown"];
    const before = stage.grantsOf(...actors).length;
    const alice = await stage.login(web, "alice");
    const grants = () => stage.grantsOf(...actors).slice(before);
    await eventually(grants).toHaveLength(1);
    const [own] = grants();

    // The thief.
    const { token: second } = await stage.expectAdmin<{ token: string }>(
      "POST",
      "/tokens",
      { name: "unknown", role: "admin" },
    );
    const trojan = await stage.makeClient({ client_id: "trojan" });
    const stolen = await stage.login(web, "victim");
    const trojans = await stage.login(trojan, "victim", second);
    const evil = "https://evil.example";
    await stage.expectAdmin("PATCH", "/clients/shop", {
      redirect_uris: [redirectUri, evil],
    });
    const lured = await lure("shop", evil);
    expect(lured.refresh_token).toBeDefined();

    await terminal.type(replace);
    expect(terminal.env["BATON_ADMIN_TOKEN"]).not.toBe(leaked);
    await eventually(
      async () =>
        (await stage.admin("GET", "/scopes", undefined, leaked)).status,
    ).toBe(401);
    const listed = await terminal.type(others);
    expect(listed).toMatch(/^unknown +admin /m);
    expect(
      (await stage.admin("GET", "/scopes", undefined, second)).status,
    ).toBe(401);

    const changes = () =>
      stage.log
        .filter(({ event }) => event === "client.changed")
        .map(({ actor, action, client_id }) => [actor, action, client_id]);
    await eventually(changes).toEqual([
      ["root", "created", "web"],
      ["root", "changed", "web"],
      ["root", "created", "shop"],
      ["root", "created", "trojan"],
      ["root", "changed", "shop"],
    ]);
    const remove = commandInText("npm run baton -- clients delete ID");
    await terminal.type(remove, { ID: "trojan" });
    const setBack = { redirect_uris: [redirectUri] };
    await stage.expectAdmin("PATCH", "/clients/shop", setBack);
    const logout = commandInText("npm run baton -- clients logout ID");
    await terminal.type(logout, { ID: "shop" });
    await eventually(grants).toHaveLength(3);
    const made = grants().filter((grant) => grant !== own);
    writeFileSync(
      join(terminal.directory, "grants.txt"),
      `${made.join("\n")}\n`,
    );
    await terminal.type(endLogins);

    expect(await stage.refresh(shop, lured.refresh_token)).toMatchObject({
      error: "invalid_grant",
    });
    expect(await stage.refresh(web, stolen.refresh_token)).toMatchObject({
      error: "invalid_grant",
    });
    expect(await stage.refresh(trojan, trojans.refresh_token)).toMatchObject({
      error: "invalid_client",
    });
    const refreshed = await stage.refresh(web, alice.refresh_token);
    expect(refreshed.refresh_token).toBeDefined();
  });
});
