import { base64url, decodeProtectedHeader, EncryptJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Reason } from "../../src/oauth/errors.ts";
import { fieldErrors } from "../support/admin.ts";
import {
  decide,
  expectTokens,
  faultOf,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";
import { env } from "cloudflare:workers";

/**
 * Tests that the encrypted request and the code are accepted only as this server made them: unaltered, each in
 * its own place and for its own time (RFC 6819 sections 4.4.1.3 and 5.1.5.2).
 */

/** The refusal by the token endpoint of a code that this server did not make. */
function refusedCode(code: string) {
  return [400, "invalid_grant", `authorization_code_${faultOf(code)}`];
}

let client: TestClient;

beforeAll(async () => {
  client = await makeWebClient();
});

afterEach(() => {
  vi.useRealTimers();
});

/** The fields that both operations of the sign-in page name when they refuse a request. */
async function refusedFields(
  request: string,
  to: TestServer = server,
  reason: Reason = `authorization_request_${faultOf(request)}`,
): Promise<string[][]> {
  const path = `/authorizations?${new URLSearchParams({ request }).toString()}`;
  const decision = { request, subject: "alice" };
  return [
    Object.keys(await fieldErrors(await to.admin("GET", path), reason)),
    Object.keys(
      await fieldErrors(
        await to.admin("POST", "/authorizations", decision),
        reason,
      ),
    ),
  ];
}

const bothNameRequest = [["request"], ["request"]];

/** The base64url character in which every bit is inverted. */
function flip(character: string): string {
  const alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[63 - alphabet.indexOf(character)]!;
}

function flipIn(part: string, at: number): string {
  return part.slice(0, at) + flip(part[at]!) + part.slice(at + 1);
}

function header(jwt: string, more: object): string {
  const text = JSON.stringify({ ...decodeProtectedHeader(jwt), ...more });
  return base64url.encode(text);
}

type Alteration = (
  jwt: string,
  otherDeployment: string,
) => string | Promise<string>;

/** Makes an alteration of one part. `other` is another JWT of the same kind, which is valid. */
function part(
  position: number,
  change: (part: string, otherDeployment: string) => string,
): Alteration {
  return (jwt, otherDeployment) => {
    const otherParts = otherDeployment.split(".");
    return jwt
      .split(".")
      .map((text, at) =>
        at === position ? change(text, otherParts[at]!) : text,
      )
      .join(".");
  };
}

const names = [
  "the header",
  "the encrypted key",
  "the nonce",
  "the ciphertext",
  "the tag",
];

const alterations: [string, Alteration][] = [
  ...names.flatMap((name, position): [string, Alteration][] => [
    [
      `${name} has another beginning`,
      part(position, (text) => flipIn(text, 0)),
    ],
    [
      `${name} has another middle`,
      part(position, (text) => flipIn(text, text.length >> 1)),
    ],
    [
      `${name} has another end`,
      part(position, (text) => flipIn(text, text.length - 1)),
    ],
    [`${name} is shorter`, part(position, (text) => text.slice(0, -4))],
    [`${name} is longer`, part(position, (text) => `${text}AAAA`)],
    [`${name} is empty`, part(position, () => "")],
    [`${name} is not base64url`, part(position, (text) => `!${text.slice(1)}`)],
  ]),
  ...names
    .slice(1)
    .map((name, position): [string, Alteration] => [
      `${name} is that of another JWT`,
      part(position + 1, (_, otherDeployment) => otherDeployment),
    ]),
  ["its last character is missing", (jwt) => jwt.slice(0, -1)],
  ["its first character is missing", (jwt) => jwt.slice(1)],
  ["its second half is missing", (jwt) => jwt.slice(0, jwt.length / 2)],
  ["a part is missing", (jwt) => jwt.split(".").slice(0, 4).join(".")],
  ["it has a part too many", (jwt) => `${jwt}.AAAA`],
  ["it is doubled", (jwt) => jwt + jwt],
  ...(
    [
      ["an unknown kid", { kid: "AAAAAA" }],
      ["no kid", { kid: undefined }],
      ["alg none", { alg: "none" }],
      ["alg dir", { alg: "dir" }],
      ["alg A128KW", { alg: "A128KW" }],
      ["enc A128GCM", { enc: "A128GCM" }],
      ["no typ", { typ: undefined }],
      ["zip", { zip: "DEF" }],
      ["crit", { crit: ["exp"], exp: 1 }],
    ] as [string, object][]
  ).map(([name, more]): [string, Alteration] => [
    `the header says ${name}`,
    (jwt) => part(0, () => header(jwt, more))(jwt, ""),
  ]),
  [
    "it is an unsecured JWT",
    (jwt) => `${base64url.encode('{"alg":"none"}')}.${jwt.split(".")[3]}.`,
  ],
];

describe("an authorization request is refused", () => {
  it.each(alterations)("if %s", async (_, alter) => {
    const request = await requestAtLogin(client);
    const altered = await alter(request, await requestAtLogin(client));
    expect(altered).not.toBe(request);
    expect(await refusedFields(altered)).toEqual(bothNameRequest);
  });

  it.each<[string, () => Promise<string>]>([
    ["a code", () => obtainCode(client)],
    ["a refresh token", async () => (await server.login(client)).refresh_token],
    ["an access token", async () => (await server.login(client)).access_token],
    ["a client secret", async () => client.client_secret],
    ["garbage", async () => "x"],
    ["five parts of garbage", async () => "a.b.c.d.e"],
    ["nothing but dots", async () => "...."],
    ["JSON", async () => '{"protected":"x","ciphertext":"y"}'],
  ])("if it is %s", async (_, make) => {
    expect(await refusedFields(await make())).toEqual(bothNameRequest);
  });
});

describe("a code is refused, and the valid one stays good,", () => {
  it.each(alterations)("if %s", async (_, alter) => {
    const code = await obtainCode(client);
    const altered = await alter(code, await obtainCode(client));
    expect(altered).not.toBe(code);
    expect(await refusal(await redeem(client, altered))).toEqual(
      refusedCode(altered),
    );
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("if it is a request, a refresh token or an access token", async () => {
    const tokens = await server.login(client);
    for (const token of [
      await requestAtLogin(client),
      tokens.refresh_token,
      tokens.access_token,
    ])
      expect(await refusal(await redeem(client, token))).toEqual(
        refusedCode(token),
      );
    expect((await server.refresh(client, tokens.refresh_token)).status).toBe(
      200,
    );
  });
});

describe("another spelling is refused", () => {
  const spellings: [string, Alteration][] = [
    ["padding after the tag", (jwt) => `${jwt}==`],
    ["padding after the key", part(1, (text) => `${text}==`)],
    ["unused bits in the tag", part(4, setUnusedBit)],
    ["unused bits in the key", part(1, setUnusedBit)],
    ["white space at the end", (jwt) => `${jwt}\n`],
    ["white space at the start", (jwt) => ` ${jwt}`],
    [
      "white space inside",
      part(3, (text) => `${text.slice(0, 8)} ${text.slice(8)}`),
    ],
  ];

  /** Sets an unused bit. The last character of 16 or 40 bytes holds two bits, and four unused ones. */
  function setUnusedBit(text: string): string {
    const [last = "", next] = [text.at(-1), { A: "B", Q: "R", g: "h", w: "x" }];
    return text.slice(0, -1) + (next as Record<string, string>)[last];
  }

  it.each(spellings)("if a request has %s", async (_, respell) => {
    const request = await respell(await requestAtLogin(client), "");
    expect(await refusedFields(request)).toEqual(bothNameRequest);
  });

  it.each(spellings)("if a code has %s", async (_, respell) => {
    const code = await respell(await obtainCode(client), "");
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_malformed",
    ]);
  });
});

describe("an attacker without ENCRYPTION_KEY", () => {
  /** Makes a JWT as the server does, but with another key. */
  async function forge(jwt: string, alg: "A256KW" | "dir"): Promise<string> {
    const { typ = "", kid = "" } = decodeProtectedHeader(jwt);
    const time = Math.floor(Date.now() / 1000);
    return new EncryptJWT({
      client_id: client.client_id,
      client_issued_at: time,
      redirect_uri: "https://evil.example/",
      scope: [],
      resource: [],
      code_challenge: "x",
      family_id: "A".repeat(43),
      code_id: "x",
      subject: "admin",
      redeemable_until: time + 60,
    })
      .setIssuer(ISSUER)
      .setExpirationTime(time + 60)
      .setProtectedHeader({ alg, enc: "A256GCM", typ, kid })
      .encrypt(crypto.getRandomValues(new Uint8Array(32)));
  }

  it.each(["A256KW", "dir"] as const)(
    "can make neither a request nor a code with another key (%s)",
    async (alg) => {
      const request = await forge(await requestAtLogin(client), alg);
      expect(await refusedFields(request)).toEqual(bothNameRequest);
      const code = await forge(await obtainCode(client), alg);
      expect(await refusal(await redeem(client, code))).toEqual(
        refusedCode(code),
      );
    },
  );
});

describe("another deployment with the same ENCRYPTION_KEY and another issuer", () => {
  const otherDeployment = serverWith({ ISSUER: "https://other.example.com" });

  it("makes no request and no code that this server accepts", async () => {
    const request = await requestAtLogin(client, {}, otherDeployment);
    expect(await refusedFields(request)).toEqual(bothNameRequest);
    const redirect = await decide(
      request,
      { subject: "alice" },
      otherDeployment,
    );
    const code = redirect.searchParams.get("code") ?? "";
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_forged",
    ]);
    expect((await redeem(client, code, {}, otherDeployment)).status).toBe(200);
  });
});

describe("a rotation of ENCRYPTION_KEY", () => {
  const newKey = btoa(
    String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))),
  );
  const rotated = serverWith({
    ENCRYPTION_KEY: `${newKey},${env.ENCRYPTION_KEY}`,
  });
  const withoutOld = serverWith({ ENCRYPTION_KEY: newKey });

  it("keeps requests and codes good while the old key is configured", async () => {
    const request = await requestAtLogin(client);
    const redirect = await decide(request, { subject: "alice" }, rotated);
    const made = redirect.searchParams.get("code") ?? "";
    expect(decodeProtectedHeader(made).kid).not.toBe(
      decodeProtectedHeader(request).kid,
    );
    await expectTokens(await redeem(client, made, {}, rotated));
    const before = await obtainCode(client);
    const tokens = await expectTokens(
      await redeem(client, before, {}, rotated),
    );
    expect((await rotated.refresh(client, tokens.refresh_token)).status).toBe(
      200,
    );
  });

  it("ends requests and codes of the old key when that key is removed", async () => {
    const request = await requestAtLogin(client);
    expect(await refusedFields(request, withoutOld)).toEqual(bothNameRequest);
    const code = await obtainCode(client);
    expect(await refusal(await redeem(client, code, {}, withoutOld))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_forged",
    ]);
    expect((await redeem(client, code)).status).toBe(200);
  });
});

describe("the time limit", () => {
  function stopClock(): number {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    return Math.floor(Date.now() / 1000);
  }

  it("of a request is 30 minutes, and not a second more", async () => {
    const start = stopClock();
    const request = await requestAtLogin(client);
    vi.setSystemTime((start + 1799) * 1000);
    const redirect = await decide(request);
    expect(redirect.searchParams.has("code")).toBe(true);
    vi.setSystemTime((start + 1800) * 1000);
    const expired = "authorization_request_expired";
    expect(await refusedFields(request, server, expired)).toEqual(
      bothNameRequest,
    );
    const denial = { request, error: "access_denied" };
    const refused = await server.admin("POST", "/authorizations", denial);
    expect(
      Object.keys(await fieldErrors(refused, "authorization_request_expired")),
    ).toEqual(["request"]);
  });

  it("of a code is one minute, and not a second more", async () => {
    const start = stopClock();
    const [inTime, late] = [await obtainCode(client), await obtainCode(client)];
    vi.setSystemTime((start + 59) * 1000);
    expect((await redeem(client, inTime)).status).toBe(200);
    vi.setSystemTime((start + 60) * 1000);
    expect(await refusal(await redeem(client, late))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_expired",
    ]);
  });

  it("of a code that was made in the last second of its request is the whole minute", async () => {
    const start = stopClock();
    const request = await requestAtLogin(client);
    vi.setSystemTime((start + 1799) * 1000);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    vi.setSystemTime((start + 1799 + 59) * 1000);
    expect((await redeem(client, code)).status).toBe(200);
  });
});
