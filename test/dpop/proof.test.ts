import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { checkProof } from "../../src/dpop/proof.ts";
import {
  accessTokenHash,
  makeProofKey,
  type ProofKey,
} from "../support/dpop.ts";
import { TOKEN_URL, proofOf } from "../support/proving.ts";
import { goodClaims, headerOf, signedWith } from "../support/raw-proof.ts";
import {
  type ErrorBody,
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** Tests the check of DPoP proofs (RFC 9449 section 4.3): the examples of the RFC, and each claim and header member. */

let client: TestClient;
let key: ProofKey;

beforeAll(async () => {
  client = await server.makeClient({ grant_types: ["client_credentials"] });
  key = await makeProofKey();
});

const invalid = [400, "invalid_dpop_proof", "dpop_proof_invalid"];

/** Asks for a token with a proof. */
function ask(DPoP: string, at: TestServer = server): Promise<Response> {
  return at.http("/access_token", {
    method: "POST",
    headers: { DPoP },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: client.client_id,
      client_secret: client.client_secret,
    }),
  });
}

/** Asks with a proof, and names the refusal. */
async function outcome(proof: string): ReturnType<typeof refusal> {
  return refusal(await ask(proof));
}

/** Asks with a proof that is not good. @returns what the developer is told */
async function toldOf(proof: string): Promise<string> {
  const response = await ask(proof);
  const { error_description } = await response.clone().json<ErrorBody>();
  expect(await refusal(response)).toEqual(invalid);
  return error_description;
}

/** Reads the thumbprint of the key that the token of an answer is bound to. */
async function boundTo(response: Response): Promise<string | undefined> {
  const { token_type, access_token } = await response.json<Tokens>();
  expect(token_type).toBe("DPoP");
  return decodeJwt<{ cnf?: { jkt?: string } }>(access_token).cnf?.jkt;
}

describe("the examples of RFC 9449", () => {
  const header =
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
  const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
  const tokenUrls = ["https://server.example.com/token"];
  const tokenProofs = {
    "figures 1 and 2":
      "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
    "figure 6, a refresh":
      "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA",
  };

  it.each(Object.entries(tokenProofs))("%s", async (_, rest) => {
    const { iat } = decodeJwt(`${header}.${rest}`);
    const good = { method: "POST", urls: tokenUrls, now: iat! };
    expect(await checkProof(`${header}.${rest}`, good)).toEqual({
      jkt,
      jti: "-BwC3ESc6acc2lTc",
      iat,
    });
  });

  it("figures 13 and 14, at an API with an access token", async () => {
    const proof = `${header}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA`;
    const good = {
      method: "GET",
      urls: ["https://resource.example.org/protectedresource"],
      now: 1_562_262_618,
      access_token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
    };
    expect(await checkProof(proof, good)).toMatchObject({ jkt });
    expect(await accessTokenHash(good.access_token)).toBe(
      "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
    );
    for (const wrong of [
      { method: "POST" },
      { urls: ["https://resource.example.org/"] },
      { now: good.now + 61 },
      { access_token: "another" },
      { needsNonce: true },
    ])
      expect(await checkProof(proof, { ...good, ...wrong })).toHaveProperty(
        "problem",
      );
  });

  it("needs ath where there is an access token, and at the token endpoint there is none", async () => {
    const api = "https://api.example.com/";
    const good = { method: "POST", now: Date.now() / 1000 };
    const proof = await proofOf(key, { htu: api });
    expect(
      await checkProof(proof, { ...good, urls: [api], access_token: "x" }),
    ).toEqual({
      problem:
        "its ath must be the SHA-256 hash of the access token, in base64url",
    });
    expect(await boundTo(await ask(await proofOf(key, { ath: 7 })))).toBe(
      key.jkt,
    );
  });
});

describe("a proof at the token endpoint", () => {
  it.each(["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"])(
    "may be signed with %s",
    async (alg) => {
      const made = await makeProofKey(alg);
      expect(await boundTo(await ask(await proofOf(made)))).toBe(made.jkt);
    },
  );

  it.each(["RS384", "PS512", "HS256", "none", "ES256K", "es256", ""])(
    "is refused with the alg '%s', which is not in the metadata",
    async (alg) => {
      const header = headerOf(key, { alg });
      expect(
        await outcome(await signedWith(key, header, goodClaims())),
      ).toEqual(invalid);
    },
  );

  it.each([
    ["jti", undefined],
    ["jti", ""],
    ["jti", 7],
    ["jti", ["a"]],
    ["jti", "j".repeat(513)],
    ["htm", undefined],
    ["htm", "GET"],
    ["htm", "post"],
    ["htm", "POST "],
    ["htm", ["POST"]],
    ["htu", undefined],
    ["htu", [TOKEN_URL]],
    ["htu", { href: TOKEN_URL }],
    ["iat", undefined],
    ["iat", null],
    ["iat", String(Math.floor(Date.now() / 1000))],
    ["iat", [1]],
    ["iat", true],
    ["nonce", 7],
    ["nonce", null],
    ["exp", null],
    ["exp", { toString: 1 }],
    ["nbf", [{ toString: 1 }]],
    ["nbf", "1"],
  ])("is refused if its %s is %j", async (name, value) => {
    const claims = goodClaims({ [name]: value });
    const told = await toldOf(await signedWith(key, headerOf(key), claims));
    expect(told).toContain(name);
  });

  it.each(["1e999", "-1e999", "NaN", "0x7", "1_000", "18446744073709551616n"])(
    "is refused if its iat is %s",
    async (iat) => {
      const claims = JSON.stringify(goodClaims({ iat: "IAT" }));
      const payload = claims.replace('"IAT"', iat);
      expect(
        await outcome(await signedWith(key, headerOf(key), payload)),
      ).toEqual(invalid);
    },
  );

  it.each([
    ["a jti of 512 characters", { jti: "j".repeat(512) }],
    ["a jti of any characters", { jti: '\0"\ud800 \u202e' }],
    ["an iat with a fraction", { iat: Date.now() / 1000 }],
    ["an iat of half a minute ago", { iat: Date.now() / 1000 - 30 }],
    ["an iat of half a minute ahead", { iat: Date.now() / 1000 + 30 }],
    ["an exp", { exp: Date.now() / 1000 + 30 }],
    ["claims of its own", { sub: "alice", htm2: "GET", __proto__: { a: 1 } }],
  ])("may have %s", async (_, claims) => {
    const proof = await signedWith(key, headerOf(key), goodClaims(claims));
    expect(await boundTo(await ask(proof))).toBe(key.jkt);
  });

  it.each([
    ["typ", undefined],
    ["typ", "JWT"],
    ["typ", "at+jwt"],
    ["typ", "dpop"],
    ["typ", ["dpop+jwt"]],
    ["alg", undefined],
    ["alg", 7],
    ["crit", []],
    ["crit", ["exp"]],
    ["crit", ["b64"]],
    ["b64", true],
    ["b64", false],
  ])("is refused if the %s of its header is %j", async (name, value) => {
    const header = headerOf(key, { [name]: value });
    expect(await outcome(await signedWith(key, header, goodClaims()))).toEqual(
      invalid,
    );
  });

  it("is refused with crit and what it names", async () => {
    const header = headerOf(key, { crit: ["b64"], b64: true });
    const proof = await signedWith(key, header, goodClaims());
    expect(await toldOf(proof)).toContain("crit");
  });

  it.each(["dpop+jwt", "DPoP+JWT", "application/dpop+jwt"])(
    "may have the typ %s, which is a media type (RFC 7515 section 4.1.9)",
    async (typ) => {
      const header = headerOf(key, { typ, kid: "1", x: "y" });
      const proof = await signedWith(key, header, goodClaims());
      expect(await boundTo(await ask(proof))).toBe(key.jkt);
    },
  );

  it.each([
    TOKEN_URL,
    `${TOKEN_URL}?x=1`,
    `${TOKEN_URL}#x`,
    "HTTPS://AUTH.EXAMPLE.COM/access_token",
    "https://auth.example.com:443/access_token",
    "https://auth.example.com:/access_token",
    "https://auth.example.com/%61ccess%5ftoken",
    "https://auth.ex%61mple.com/access_token",
    "https://auth.example.com/./x/../access_token",
    "https://auth.example.com/%2e%2e/access_token",
  ])("may have the htu %s (RFC 3986 section 6.2)", async (htu) => {
    expect(await boundTo(await ask(await proofOf(key, { htu })))).toBe(key.jkt);
  });

  it.each([
    "",
    "/access_token",
    "//auth.example.com/access_token",
    "https:/auth.example.com/access_token",
    "https:auth.example.com/access_token",
    "http://auth.example.com/access_token",
    "https://auth.example.com",
    "https://auth.example.com/",
    "https://auth.example.com/access_token/",
    "https://auth.example.com//access_token",
    "https://auth.example.com/ACCESS_TOKEN",
    "https://auth.example.com/access%2Ftoken",
    "https://auth.example.com/oauth/token",
    "https://auth.example.com:8443/access_token",
    "https://auth.example.com./access_token",
    "https://auth.example.com.evil.example/access_token",
    "https://evil.example/https://auth.example.com/access_token",
    "https://alice@auth.example.com/access_token",
    "https://evil.example\\@auth.example.com/access_token",
    "https:\\\\auth.example.com\\access_token",
    " https://auth.example.com/access_token",
    "https://auth.example.com/access_token\n",
    "https://auth.exam\tple.com/access_token",
    "https://auth.example.com/access_token\0",
    "https://%/access_token",
    "https://auth.example.com:99999/access_token",
    "data:,https://auth.example.com/access_token",
    `https://auth.example.com/${"../".repeat(900)}x`,
  ])("is refused with the htu %j", async (htu) => {
    const told = await toldOf(await proofOf(key, { htu }));
    expect(told).toContain("htu");
  });

  it("may be for the host at which client certificates are read", async () => {
    const MTLS_ENDPOINT_ORIGIN = "https://mtls.example.com";
    const at = serverWith({ CLIENT_CERTIFICATES: "on", MTLS_ENDPOINT_ORIGIN });
    for (const origin of [ISSUER, MTLS_ENDPOINT_ORIGIN]) {
      const htu = `${origin}/access_token`;
      expect(await boundTo(await ask(await proofOf(key, { htu }), at))).toBe(
        key.jkt,
      );
    }
  });

  it.each([
    ["nothing", ""],
    ["a space", " "],
    ["one part", "abc"],
    ["two parts", "abc.def"],
    ["four parts", "a.b.c.d"],
    ["empty parts", ".."],
    ["five parts, as a JWE has", "a.b.c.d.e"],
    ["a JWS in JSON", '{"protected":"e30","payload":"e30","signature":"e30"}'],
    ["garbage of 8 KiB", "a.".repeat(4_096)],
    ["garbage of 16 KiB", "x".repeat(16_384)],
    ["an encoded header that is not JSON", "AAAA.AAAA.AAAA"],
    ["a header that is an array", "W10.e30.AAAA"],
    ["a header that is null", "bnVsbA.e30.AAAA"],
    ["a header that is not UTF-8", "eyJhbGciOiL_In0.e30.AAAA"],
  ])("is refused if it is %s", async (_, proof) => {
    expect(await outcome(proof)).toEqual(invalid);
  });

  it.each([
    "null",
    "[]",
    '"x"',
    "7",
    "",
    "{",
    "\ufeff{}",
    new Uint8Array([0xff]),
  ])("is refused if its payload is %j", async (payload) => {
    expect(
      await outcome(await signedWith(key, headerOf(key), payload)),
    ).toEqual(invalid);
  });

  it("takes the last of two members of one name (RFC 7515 section 4)", async () => {
    const claims = JSON.stringify(goodClaims()).slice(1);
    const last = `{"htm":"GET",${claims}`;
    const first = `{${claims.slice(0, -1)},"htm":"GET"}`;
    expect(
      await boundTo(await ask(await signedWith(key, headerOf(key), last))),
    ).toBe(key.jkt);
    expect(await outcome(await signedWith(key, headerOf(key), first))).toEqual(
      invalid,
    );
    const other = await makeProofKey();
    const header = JSON.stringify(headerOf(key)).slice(1);
    const twoKeys = `{"jwk":${JSON.stringify(other.jwk)},${header}`;
    const signed = await signedWith(key, twoKeys, goodClaims());
    expect(await boundTo(await ask(signed))).toBe(key.jkt);
    expect(
      await outcome(await signedWith(other, twoKeys, goodClaims())),
    ).toEqual(invalid);
  });

  it("must be the only one: several DPoP headers are refused", async () => {
    const headers = new Headers();
    headers.append("DPoP", await proofOf(key));
    headers.append("DPoP", await proofOf(key));
    expect(await toldOf(headers.get("DPoP")!)).toContain("one header");
  });

  it("is refused after the client: a stranger learns nothing of its proof", async () => {
    const response = await server.token(
      { grant_type: "client_credentials", client_id: "nobody" },
      { DPoP: "garbage" },
    );
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
  });

  it("tells the developer what to mend, and repeats nothing of the proof", async () => {
    const told = await Promise.all(
      [
        { htm: "SECRET" },
        { htu: "https://SECRET.example" },
        { nonce: ["SECRET"] },
        { jti: "SECRET".repeat(100) },
        { iat: "SECRET" },
      ].map(async (claims) =>
        toldOf(await signedWith(key, headerOf(key), goodClaims(claims))),
      ),
    );
    expect(told.join()).not.toContain("SECRET");
    expect(told[1]).toBe(
      `The DPoP proof is not valid: its htu must be ${TOKEN_URL}.`,
    );
  });
});
