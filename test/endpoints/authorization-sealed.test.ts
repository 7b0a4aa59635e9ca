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
 * The sealed request and the code are nothing but what this server has made, unaltered, each in its
 * own place and for its own time (RFC 6819 sections 4.4.1.3 and 5.1.5.2).
 */

/** How the token endpoint refuses a code that is not one of this server's. */
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

/** What the login is told of a request that it can't use: both operations name the field. */
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

const bothName = [["request"], ["request"]];

/** A character of base64url that has another value in every bit. */
function flip(character: string): string {
  const alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[63 - alphabet.indexOf(character)]!;
}

function flipIn(part: string, at: number): string {
  return part.slice(0, at) + flip(part[at]!) + part.slice(at + 1);
}

function header(sealed: string, more: object): string {
  const text = JSON.stringify({ ...decodeProtectedHeader(sealed), ...more });
  return base64url.encode(text);
}

type Alteration = (sealed: string, other: string) => string | Promise<string>;

/** Changes one part; `other` is another one that is good. */
function part(
  position: number,
  change: (part: string, other: string) => string,
): Alteration {
  return (sealed, other) => {
    const others = other.split(".");
    return sealed
      .split(".")
      .map((text, at) => (at === position ? change(text, others[at]!) : text))
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
    [`${name} begins otherwise`, part(position, (text) => flipIn(text, 0))],
    [
      `${name} has another middle`,
      part(position, (text) => flipIn(text, text.length >> 1)),
    ],
    [
      `${name} ends otherwise`,
      part(position, (text) => flipIn(text, text.length - 1)),
    ],
    [`${name} is shorter`, part(position, (text) => text.slice(0, -4))],
    [`${name} is longer`, part(position, (text) => `${text}AAAA`)],
    [`${name} is empty`, part(position, () => "")],
    [`${name} is no base64url`, part(position, (text) => `!${text.slice(1)}`)],
  ]),
  ...names
    .slice(1)
    .map((name, position): [string, Alteration] => [
      `${name} is that of another one`,
      part(position + 1, (_, other) => other),
    ]),
  ["its last character is missing", (sealed) => sealed.slice(0, -1)],
  ["its first character is missing", (sealed) => sealed.slice(1)],
  ["only half of it is there", (sealed) => sealed.slice(0, sealed.length / 2)],
  ["a part is missing", (sealed) => sealed.split(".").slice(0, 4).join(".")],
  ["there is a part too many", (sealed) => `${sealed}.AAAA`],
  ["it is there twice", (sealed) => sealed + sealed],
  ...(
    [
      ["the kid of nobody", { kid: "AAAAAA" }],
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
    (sealed) => part(0, () => header(sealed, more))(sealed, ""),
  ]),
  [
    "it is an unsecured JWT",
    (sealed) =>
      `${base64url.encode('{"alg":"none"}')}.${sealed.split(".")[3]}.`,
  ],
];

describe("an authorization request is refused", () => {
  it.each(alterations)("where %s", async (_, alter) => {
    const request = await requestAtLogin(client);
    const altered = await alter(request, await requestAtLogin(client));
    expect(altered).not.toBe(request);
    expect(await refusedFields(altered)).toEqual(bothName);
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
  ])("where it is %s", async (_, make) => {
    expect(await refusedFields(await make())).toEqual(bothName);
  });
});

describe("a code is refused, and the good one stays good,", () => {
  it.each(alterations)("where %s", async (_, alter) => {
    const code = await obtainCode(client);
    const altered = await alter(code, await obtainCode(client));
    expect(altered).not.toBe(code);
    expect(await refusal(await redeem(client, altered))).toEqual(
      refusedCode(altered),
    );
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("where it is a request, a refresh token or an access token", async () => {
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

describe("another spelling of the same is not the same", () => {
  const spellings: [string, Alteration][] = [
    ["padding behind the tag", (sealed) => `${sealed}==`],
    ["padding behind the key", part(1, (text) => `${text}==`)],
    ["unused bits in the tag", part(4, setUnusedBit)],
    ["unused bits in the key", part(1, setUnusedBit)],
    ["white space behind it", (sealed) => `${sealed}\n`],
    ["white space before it", (sealed) => ` ${sealed}`],
    [
      "white space in it",
      part(3, (text) => `${text.slice(0, 8)} ${text.slice(8)}`),
    ],
  ];

  /** The last character of 16 or 40 bytes holds two bits, and four that mean nothing. */
  function setUnusedBit(text: string): string {
    const [last = "", next] = [text.at(-1), { A: "B", Q: "R", g: "h", w: "x" }];
    return text.slice(0, -1) + (next as Record<string, string>)[last];
  }

  it.each(spellings)("where a request has %s", async (_, respell) => {
    const request = await respell(await requestAtLogin(client), "");
    expect(await refusedFields(request)).toEqual(bothName);
  });

  it.each(spellings)("where a code has %s", async (_, respell) => {
    const code = await respell(await obtainCode(client), "");
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_malformed",
    ]);
  });
});

describe("who does not have ENCRYPTION_KEY", () => {
  /** As the server would make it, but for the key. */
  async function forge(sealed: string, alg: "A256KW" | "dir"): Promise<string> {
    const { typ = "", kid = "" } = decodeProtectedHeader(sealed);
    const time = Math.floor(Date.now() / 1000);
    return new EncryptJWT({
      client_id: client.client_id,
      client_issued_at: time,
      redirect_uri: "https://evil.example/",
      redirect_uri_named: true,
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
    "makes neither a request nor a code with a key of their own (%s)",
    async (alg) => {
      const request = await forge(await requestAtLogin(client), alg);
      expect(await refusedFields(request)).toEqual(bothName);
      const code = await forge(await obtainCode(client), alg);
      expect(await refusal(await redeem(client, code))).toEqual(
        refusedCode(code),
      );
    },
  );
});

describe("another deployment with the same ENCRYPTION_KEY and another issuer", () => {
  const other = serverWith({ ISSUER: "https://other.example.com" });

  it("makes no request and no code that is good here", async () => {
    const request = await requestAtLogin(client, {}, other);
    expect(await refusedFields(request)).toEqual(bothName);
    const back = await decide(request, { subject: "alice" }, other);
    const code = back.searchParams.get("code") ?? "";
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_forged",
    ]);
    expect((await redeem(client, code, {}, other)).status).toBe(200);
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

  it("leaves what is on its way good while the old key is there", async () => {
    const request = await requestAtLogin(client);
    const back = await decide(request, { subject: "alice" }, rotated);
    const made = back.searchParams.get("code") ?? "";
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

  it("ends what is on its way with the old key", async () => {
    const request = await requestAtLogin(client);
    expect(await refusedFields(request, withoutOld)).toEqual(bothName);
    const code = await obtainCode(client);
    expect(await refusal(await redeem(client, code, {}, withoutOld))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_forged",
    ]);
    expect((await redeem(client, code)).status).toBe(200);
  });
});

describe("time", () => {
  function stopClock(): number {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    return Math.floor(Date.now() / 1000);
  }

  it("gives a person half an hour to decide, and not a second more", async () => {
    const start = stopClock();
    const request = await requestAtLogin(client);
    vi.setSystemTime((start + 1799) * 1000);
    const back = await decide(request);
    expect(back.searchParams.has("code")).toBe(true);
    vi.setSystemTime((start + 1800) * 1000);
    const expired = "authorization_request_expired";
    expect(await refusedFields(request, server, expired)).toEqual(bothName);
    const no = { request, error: "access_denied" };
    const refused = await server.admin("POST", "/authorizations", no);
    expect(
      Object.keys(await fieldErrors(refused, "authorization_request_expired")),
    ).toEqual(["request"]);
  });

  it("gives a code a minute, and not a second more", async () => {
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

  it("gives a code that was made in the last second its whole minute", async () => {
    const start = stopClock();
    const request = await requestAtLogin(client);
    vi.setSystemTime((start + 1799) * 1000);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    vi.setSystemTime((start + 1799 + 59) * 1000);
    expect((await redeem(client, code)).status).toBe(200);
  });
});
