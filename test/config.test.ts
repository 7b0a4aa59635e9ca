import { env } from "cloudflare:workers";
import { exportJWK, generateKeyPair } from "jose";
import { describe, expect, inject, it, vi } from "vitest";
import { keepRequestLine, reasonOf } from "./support/request-lines.ts";
import { refusal, server, serverWith } from "./support/server.ts";

/** Tests that a missing or malformed value is named in /health and in the log, and nowhere else. */

const keys = inject("testKeys");
const good = { PRIVATE_KEY: keys.plain[1]![1] };

async function ecJwk(): Promise<Record<string, unknown>> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(privateKey)) };
}

async function privateKeyOf(...changes: object[]): Promise<string> {
  const jwk = await ecJwk();
  return JSON.stringify({
    keys: changes.map((change) => ({ ...jwk, ...change })),
  });
}

/** Makes a JWK with the private half of one Ed25519 key and the public half of another. */
async function mixedHalves(): Promise<string> {
  const [one, other] = await Promise.all(
    [1, 2].map(() => generateKeyPair("EdDSA", { extractable: true })),
  );
  const { x } = await exportJWK(other!.publicKey);
  return JSON.stringify({ ...(await exportJWK(one!.privateKey)), x });
}

/** Makes a JWK for RS256, with some members of another key in it. */
async function rsaJwk(...ofAnother: string[]): Promise<object> {
  const [own, other] = await Promise.all(
    [1, 2].map(async () => {
      const pair = await generateKeyPair("RS256", { extractable: true });
      return exportJWK(pair.privateKey);
    }),
  );
  const members = Object.entries(other!).filter(([name]) =>
    ofAnother.includes(name),
  );
  return { ...own, ...Object.fromEntries(members) };
}

const malformed: [string, Record<string, unknown>, RegExp][] = [
  ["ISSUER", { ISSUER: "" }, /not set/],
  ["ISSUER", { ISSUER: undefined }, /not set/],
  ["ISSUER", { ISSUER: 7 }, /string/],
  ["ISSUER", { ISSUER: "auth.example.com" }, /origin/],
  ["ISSUER", { ISSUER: "https://auth.example.com/" }, /slash/],
  ["ISSUER", { ISSUER: "https://auth.example.com/path" }, /path/],
  ["ISSUER", { ISSUER: "https://auth.example.com?x" }, /origin/],
  ["ISSUER", { ISSUER: "http://auth.example.com" }, /https/],
  ["ISSUER", { ISSUER: "http://localhost.example.com" }, /https/],
  [
    "ACCESS_TOKEN_FORMAT",
    { ACCESS_TOKEN_FORMAT: "jwt" },
    /^must be rfc9068 or league$/,
  ],
  ["ACCESS_TOKEN_FORMAT", { ACCESS_TOKEN_FORMAT: "League" }, /rfc9068/],
  ["ACCESS_TOKEN_FORMAT", { ACCESS_TOKEN_FORMAT: 7 }, /rfc9068/],
  ["ACCESS_TOKEN_TTL", { ACCESS_TOKEN_TTL: "3600" }, /ISO 8601/],
  ["ACCESS_TOKEN_TTL", { ACCESS_TOKEN_TTL: "PT0S" }, /longer/],
  ["ACCESS_TOKEN_TTL", { ACCESS_TOKEN_TTL: "" }, /not set/],
  ["REFRESH_TOKEN_TTL", { REFRESH_TOKEN_TTL: "P" }, /ISO 8601/],
  ["REFRESH_TOKEN_TTL", { REFRESH_TOKEN_TTL: "-P1M" }, /ISO 8601/],
  ["REFRESH_TOKEN_TTL", { REFRESH_TOKEN_TTL: "1 month" }, /ISO 8601/],
  ["REFRESH_TOKEN_MAX_AGE", { REFRESH_TOKEN_MAX_AGE: "P101Y" }, /at most/],
  [
    "REFRESH_TOKEN_MAX_AGE",
    { REFRESH_TOKEN_MAX_AGE: "P999999999Y" },
    /at most/,
  ],
  [
    "REFRESH_TOKEN_RETRY_WINDOW",
    { REFRESH_TOKEN_RETRY_WINDOW: "PT1.5S" },
    /ISO 8601/,
  ],
  ["REFRESH_TOKEN_TTL", { REFRESH_TOKEN_TTL: "P30D12H" }, /ISO 8601/],
  [
    "REFRESH_TOKEN_RETRY_WINDOW",
    { REFRESH_TOKEN_RETRY_WINDOW: "PT1H", REFRESH_TOKEN_TTL: "PT30M" },
    /longer than REFRESH_TOKEN_TTL/,
  ],
  [
    "REFRESH_TOKEN_RETRY_WINDOW",
    { REFRESH_TOKEN_RETRY_WINDOW: "PT1H1S" },
    /at most PT1H/,
  ],
  ["CORS_ORIGINS", { CORS_ORIGINS: "*" }, /origin/],
  ["LOGIN_URL", { LOGIN_URL: "/sign-in" }, /a URL/],
  ["LOGIN_URL", { LOGIN_URL: "https://login.example.com/#x" }, /fragment/],
  ["LOGIN_URL", { LOGIN_URL: "http://login.example.com/" }, /https:/],
  ["LOGIN_URL", { LOGIN_URL: "javascript:alert(1)" }, /https:/],
  ["LOGIN_URL", { LOGIN_URL: "https://login.example.com/x\n" }, /spaces/],
  ["LOGIN_URL", { LOGIN_URL: "https://login.example.com/x " }, /spaces/],
  ["LOGIN_URL", { LOGIN_URL: "https:login.example.com/x" }, /a URL/],
  ["LOGIN_URL", { LOGIN_URL: "https:/login.example.com/x" }, /a URL/],
  ["LOGIN_URL", { LOGIN_URL: "https:\\\\login.example.com" }, /a URL/],
  ["LOGIN_URL", { LOGIN_URL: "https://a.example/?request=1" }, /request/],
  ["CORS_ORIGINS", { CORS_ORIGINS: "https://a.example.com," }, /origin/],
  ["CORS_ORIGINS", { CORS_ORIGINS: "https://a.example.com/" }, /origin/],
  ["ENCRYPTION_KEY", { ENCRYPTION_KEY: undefined }, /not set/],
  ["ENCRYPTION_KEY", { ENCRYPTION_KEY: "c2hvcnQ=" }, /32 random bytes/],
  [
    "ENCRYPTION_KEY",
    { ENCRYPTION_KEY: "not base64 at all !" },
    /32 random bytes/,
  ],
  [
    "ENCRYPTION_KEY",
    { ENCRYPTION_KEY: `${btoa("k".repeat(32))},` },
    /32 random bytes/,
  ],
  [
    "ENCRYPTION_KEY",
    {
      ENCRYPTION_KEY: Array(2)
        .fill(btoa("k".repeat(32)))
        .join(),
    },
    /twice/,
  ],
  ["ADMIN_TOKEN", { ADMIN_TOKEN: "short" }, /16 characters/],
  ["ADMIN_TOKEN", { ADMIN_TOKEN: "with a space in between" }, /ASCII/],
  ["PRIVATE_KEY", { PRIVATE_KEY: undefined }, /not set/],
  ["PRIVATE_KEY", { PRIVATE_KEY: "nonsense" }, /neither a PEM nor JSON/],
  ["PRIVATE_KEY", { PRIVATE_KEY: '{"kty":"EC"' }, /neither a PEM nor JSON/],
  ["PRIVATE_KEY", { PRIVATE_KEY: "[1]" }, /neither a JWK nor/],
  ["PRIVATE_KEY", { PRIVATE_KEY: "null" }, /neither a JWK nor/],
  ["PRIVATE_KEY", { PRIVATE_KEY: '{"keys":[]}' }, /without a key/],
  ["PRIVATE_KEY", { PRIVATE_KEY: '{"kty":"oct","k":"AAAA"}' }, /ES256, ES384/],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: await privateKeyOf({ d: undefined }) },
    /no private half/,
  ],
  ["PRIVATE_KEY", { PRIVATE_KEY: await privateKeyOf({}, {}) }, /same kid/],
  ["PRIVATE_KEY", { PRIVATE_KEY: await privateKeyOf({ kid: 7 }) }, /kid/],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: await privateKeyOf({ use: "enc" }) },
    /not for signing/,
  ],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: await privateKeyOf({ alg: "ES512" }) },
    /ES256/,
  ],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: await privateKeyOf({ x: undefined }) },
    /lacks|malformed/,
  ],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: await privateKeyOf({ d: "AAAA" }) },
    /malformed/,
  ],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: await privateKeyOf({ d: (await ecJwk())["d"] }) },
    /belong together|malformed/,
  ],
  ["PRIVATE_KEY", { PRIVATE_KEY: await mixedHalves() }, /belong together/],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: JSON.stringify(await rsaJwk("p", "q")) },
    /belong together/,
  ],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: JSON.stringify({ ...(await rsaJwk()), d: "" }) },
    /no private half/,
  ],
  ["PRIVATE_KEY", { PRIVATE_KEY: good.PRIVATE_KEY.repeat(2) }, /JWK set/],
  ["PRIVATE_KEY", { PRIVATE_KEY: keys.publicPem }, /PUBLIC KEY/],
  ["PRIVATE_KEY", { PRIVATE_KEY: keys.damaged }, /damaged/],
  ["PRIVATE_KEY", { PRIVATE_KEY: keys.otherCurve }, /ES256/],
  ["PRIVATE_KEY", { PRIVATE_KEY: keys.smallRsa }, /2048/],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: good.PRIVATE_KEY.slice(0, 80) },
    /last line is missing/,
  ],
  [
    "PRIVATE_KEY",
    { PRIVATE_KEY: keys.encrypted[0]![1] },
    /set its pass phrase/,
  ],
  [
    "PRIVATE_KEY",
    {
      PRIVATE_KEY: keys.encrypted[0]![1],
      PRIVATE_KEY_PASSPHRASE: "not the one",
    },
    /PRIVATE_KEY_PASSPHRASE is wrong/,
  ],
];

const secretNames = [
  "PRIVATE_KEY",
  "PRIVATE_KEY_PASSPHRASE",
  "ENCRYPTION_KEY",
  "ADMIN_TOKEN",
];

describe("a malformed configuration", () => {
  it.each(malformed)(
    "makes /health and the log name %s (%#)",
    async (name, overrides, problem) => {
      const log = vi
        .spyOn(console, "error")
        .mockImplementation(keepRequestLine);
      const broken = serverWith(overrides);

      const { ADMIN_TOKEN = env.ADMIN_TOKEN } = overrides;
      const health = await broken.health(String(ADMIN_TOKEN));
      expect(health.status).toBe(503);
      const { problems } = await health.json<{
        problems: { name: string; problem: string }[];
      }>();
      expect(problems).toEqual([
        { name, problem: expect.stringMatching(problem) },
      ]);
      log.mockClear();

      const response = await broken.token({ grant_type: "refresh_token" });
      expect([response.status, reasonOf(response)]).toEqual([
        500,
        "configuration_malformed",
      ]);
      expect(await response.json()).toEqual({
        error: "server_error",
        error_description:
          "An internal error occurred. The log of the server has the cause.",
      });
      const line = String(log.mock.calls[0]?.[0]);
      expect(JSON.parse(line)).toMatchObject({
        reason: "configuration_malformed",
        problems,
      });
      const leaked = secretNames.filter((secretName) => {
        const secret = overrides[secretName];
        return typeof secret === "string" && line.includes(secret);
      });
      expect(leaked).toEqual([]);
      log.mockRestore();
    },
  );

  it("makes /health name every problem, not only the first", async () => {
    const broken = serverWith({
      ISSUER: "",
      ENCRYPTION_KEY: "x",
      PRIVATE_KEY: "y",
    });
    const { problems } = await (
      await broken.health()
    ).json<{ problems: { name: string }[] }>();
    expect(problems.map(({ name }) => name).toSorted()).toEqual([
      "ENCRYPTION_KEY",
      "ISSUER",
      "PRIVATE_KEY",
    ]);
  });
});

describe("a valid configuration", () => {
  it.each([
    { ISSUER: "http://localhost:8787" },
    { ISSUER: "http://127.0.0.1:8787" },
    { ISSUER: "http://[::1]:8787" },
    { ISSUER: "https://auth.example.com:8443" },
    { CORS_ORIGINS: "https://a.example.com, http://localhost:3000" },
    { LOGIN_URL: "https://login.example.com/sign-in?tenant=1" },
    { LOGIN_URL: "http://localhost:8788/" },
    { LOGIN_URL: "" },
    { ACCESS_TOKEN_TTL: "P1Y2M3W4DT5H6M7S" },
    { ADMIN_TOKEN: undefined },
    { AUDIENCE: "https://api.example.com" },
    { ACCESS_TOKEN_FORMAT: "" },
    { ACCESS_TOKEN_FORMAT: undefined },
    { ACCESS_TOKEN_FORMAT: "rfc9068" },
    { ACCESS_TOKEN_FORMAT: "league" },
  ])("makes /health answer 200: %j", async (overrides) => {
    const health = await serverWith(overrides).health();
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: "ok" },
    ]);
  });
});

describe("ISSUER", () => {
  it("is never taken from the request's Host", async () => {
    const response = await server.http(
      "/.well-known/oauth-authorization-server",
      {
        headers: {
          Host: "evil.example.com",
          "X-Forwarded-Host": "evil.example.com",
        },
      },
    );
    expect(await response.text()).not.toContain("evil");
  });
});

describe("AUDIENCE", () => {
  it("is the audience of an access token that was requested without a resource", async () => {
    const { decodeJwt } = await import("jose");
    const withAudience = serverWith({ AUDIENCE: "https://api.example.com" });
    const client = await withAudience.makeClient();
    const { access_token } = await withAudience.login(client);
    expect(decodeJwt(access_token).aud).toBe("https://api.example.com");
  });
});

describe("ADMIN_TOKEN", () => {
  it("turns the admin API off if it is not set", async () => {
    const withoutToken = serverWith({ ADMIN_TOKEN: undefined });
    const response = await withoutToken.http("/admin/clients", {
      headers: { Authorization: "Bearer " },
    });
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
    expect(
      await refusal(await withoutToken.http("/admin/openapi.json")),
    ).toEqual([404, "not_found", "path_unknown"]);
  });
});
