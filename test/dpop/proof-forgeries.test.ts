import { base64url, exportJWK, exportSPKI, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { proofOf } from "../support/proving.ts";
import {
  ecdsa,
  encoded,
  goodClaims,
  headerOf,
  signatureOf,
  signedWith,
  withSignature,
} from "../support/raw-proof.ts";
import {
  type ErrorBody,
  refusal,
  server,
  type TestClient,
} from "../support/server.ts";

/**
 * Tests proofs that somebody without the key could make, and keys that are none: vectors in the manner of Wycheproof, made
 * here. Each is refused at the token endpoint.
 */

let client: TestClient;
let key: ProofKey;
let other: ProofKey;
let good: string;

beforeAll(async () => {
  client = await server.makeClient({ grant_types: ["client_credentials"] });
  key = await makeProofKey();
  other = await makeProofKey();
  good = await proofOf(key);
});

function ask(DPoP: string): Promise<Response> {
  const { client_id, client_secret } = client;
  return server.token(
    { grant_type: "client_credentials", client_id, client_secret },
    { DPoP },
  );
}

const invalid = [400, "invalid_dpop_proof", "dpop_proof_invalid"];

/** Asks with a proof, and names the refusal. */
async function outcome(proof: string): ReturnType<typeof refusal> {
  return refusal(await ask(proof));
}

/** Asks with a good proof that has another signature. */
function outcomeOf(signature: Uint8Array): ReturnType<typeof refusal> {
  return outcome(withSignature(good, signature));
}

async function toldOf(proof: string): Promise<string> {
  return (await (await ask(proof)).json<ErrorBody>()).error_description;
}

/** Signs with the key of `key`, and has another JWK in the header. */
function withJwk(jwk: unknown, alg?: string): Promise<string> {
  const header = headerOf(key, alg === undefined ? { jwk } : { jwk, alg });
  return signedWith(key, header, goodClaims());
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex);
}

/** The order of P-256 and the prime of its field (FIPS 186-4 section D.1.2.3). */
const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const p = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const hex = (number: bigint) => number.toString(16).padStart(64, "0");
const numberOf = (part: Uint8Array) => BigInt(`0x${part.toHex()}`);

describe("the signature of ES256", () => {
  it("is good before it is changed", async () => {
    expect((await ask(good)).status).toBe(200);
  });

  it("is refused with any bit changed", async () => {
    for (let bit = 0; bit < 512; bit += 23) {
      const changed = signatureOf(good);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(await outcomeOf(changed)).toEqual(invalid);
    }
  });

  it.each([
    ["r is 0", 0n, 1n],
    ["s is 0", 1n, 0n],
    ["both are 0", 0n, 0n],
    ["both are 1", 1n, 1n],
    ["r is the order", n, 1n],
    ["s is the order", 1n, n],
    ["both are the order", n, n],
    ["both are the order less 1", n - 1n, n - 1n],
    ["r is the order and 1", n + 1n, 1n],
    ["r is the prime", p, 1n],
    ["both are the greatest number", 2n ** 256n - 1n, 2n ** 256n - 1n],
  ])("is refused where %s", async (_, r, s) => {
    expect(await outcomeOf(bytes(hex(r) + hex(s)))).toEqual(invalid);
  });

  it("is refused where r or s of a good one is 0, the order, or the other", async () => {
    const signature = signatureOf(good).toHex();
    const [r, s] = [signature.slice(0, 64), signature.slice(64)];
    for (const wrong of [hex(0n), hex(n), hex(p)])
      for (const pair of [wrong + s, r + wrong])
        expect(await outcomeOf(bytes(pair))).toEqual(invalid);
    expect(await outcomeOf(bytes(s + r))).toEqual(invalid);
  });

  it("is refused in another form: DER, shorter, longer, none at all", async () => {
    const signature = signatureOf(good);
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
    const integer = (value: Uint8Array) => {
      const padded = value[0]! < 0x80 ? value : Uint8Array.of(0, ...value);
      return [2, padded.length, ...padded];
    };
    const sequence = [...integer(r), ...integer(s)];
    expect(
      await outcomeOf(Uint8Array.of(0x30, sequence.length, ...sequence)),
    ).toEqual(invalid);
    expect(await outcomeOf(signature.subarray(0, 63))).toEqual(invalid);
    expect(await outcomeOf(r)).toEqual(invalid);
    expect(await outcomeOf(Uint8Array.of(...signature, 0))).toEqual(invalid);
    expect(await outcomeOf(Uint8Array.of(0, ...r, 0, ...s))).toEqual(invalid);
    expect(await outcomeOf(new Uint8Array())).toEqual(invalid);
    expect(await outcomeOf(new Uint8Array(64 * 16))).toEqual(invalid);
  });

  it("has two values for each number, and neither says more than the other: the jti tells proofs apart", async () => {
    const signature = signatureOf(good).toHex();
    const s = n - numberOf(bytes(signature.slice(64)));
    expect(
      (await ask(withSignature(good, bytes(signature.slice(0, 64) + hex(s)))))
        .status,
    ).toBe(200);
  });

  it("is refused if it is of another text, of another key or with another hash", async () => {
    const [header, payload] = good.split(".") as [string, string];
    const input = `${header}.${payload}`;
    expect(await outcomeOf(await ecdsa(key.privateKey, payload))).toEqual(
      invalid,
    );
    expect(await outcomeOf(await ecdsa(key.privateKey, `${input}.`))).toEqual(
      invalid,
    );
    expect(await outcomeOf(await ecdsa(other.privateKey, input))).toEqual(
      invalid,
    );
    const sha512 = { name: "ECDSA", hash: "SHA-512" };
    const text = new TextEncoder().encode(input);
    const wrongHash = await crypto.subtle.sign(sha512, key.privateKey, text);
    expect(await outcomeOf(new Uint8Array(wrongHash))).toEqual(invalid);
    const another = (await proofOf(key)).split(".")[1]!;
    expect(await outcome(good.replace(payload, another))).toEqual(invalid);
  });
});

describe("a proof without the key", () => {
  it("is refused with the public key of somebody else in its header", async () => {
    expect(await outcome(await withJwk(other.jwk))).toEqual(invalid);
    const [, ...rest] = good.split(".");
    const header = encoded(headerOf(key, { jwk: other.jwk }));
    expect(await outcome([header, ...rest].join("."))).toEqual(invalid);
  });

  it("is refused without a signature, or with one that anybody can make (alg none, HMAC with the public key)", async () => {
    const publicKey = await crypto.subtle.importKey(
      "jwk",
      key.jwk as JsonWebKey,
      { name: "ECDSA", namedCurve: "P-256" },
      true,
      ["verify"],
    );
    const point = base64url.decode(key.jwk.x!);
    const secrets = [
      JSON.stringify(key.jwk),
      await exportSPKI(publicKey),
      point.toHex(),
      "secret",
    ];
    for (const alg of ["none", "None", "HS256", "HS512"])
      for (const secret of secrets) {
        const bits = alg.slice(2);
        const hash = `SHA-${bits === "512" ? bits : "256"}`;
        const mac = await crypto.subtle.importKey(
          "raw",
          new TextEncoder().encode(secret),
          { name: "HMAC", hash },
          false,
          ["sign"],
        );
        const oct = { kty: "oct", k: encoded(secret) };
        for (const jwk of [key.jwk, oct]) {
          const header = encoded(headerOf(key, { alg, jwk }));
          const input = `${header}.${encoded(goodClaims())}`;
          const text = new TextEncoder().encode(input);
          const made = await crypto.subtle.sign("HMAC", mac, text);
          expect(
            await outcome(`${input}.${encoded(new Uint8Array(made))}`),
          ).toEqual(invalid);
          expect(await outcome(`${input}.`)).toEqual(invalid);
        }
      }
  });

  it("is refused where a reference stands in place of jwk, and nothing is fetched", async () => {
    for (const reference of [
      { kid: "1" },
      { jku: "https://evil.example/jwks.json", kid: "1" },
      { x5u: "https://evil.example/cert.pem" },
      { x5c: ["AAAA"] },
      { jwks: { keys: [key.jwk] } },
    ]) {
      const header = headerOf(key, { jwk: undefined, ...reference });
      expect(
        await outcome(await signedWith(key, header, goodClaims())),
      ).toEqual(invalid);
    }
  });

  it("is refused in any other spelling of its base64url", async () => {
    const [header, payload, signature] = good.split(".") as [
      string,
      string,
      string,
    ];
    // The last character of 64 bytes has four unused bits, which are zero: A, Q, g or w.
    const next = String.fromCharCode(
      signature.charCodeAt(signature.length - 1) + 1,
    );
    for (const spelling of [
      `${header}.${payload}.${signature.slice(0, -1)}${next}`,
      `${header}.${payload}.${signature}==`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload} .${signature}`,
      `${header.slice(0, 8)} ${header.slice(8)}.${payload}.${signature}`,
      `${header}.${payload}.${signature.slice(0, 4)}\t${signature.slice(4)}`,
      `${header}.${payload}.${signature}.`,
      `.${header}.${payload}.${signature}`,
      `DPoP ${good}`,
      `"${good}"`,
    ])
      expect(await outcome(spelling)).toEqual(invalid);
    const standard = withSignature(good, Uint8Array.of(0xfb, 0xff, 0xbf));
    expect(
      await outcome(standard.replaceAll("-", "+").replaceAll("_", "/")),
    ).toEqual(invalid);
  });
});

describe("the jwk of a proof", () => {
  it.each(["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])(
    "is refused with the member %s, which is private",
    async (member) => {
      for (const value of ["AAAA", "", null, 7, [{}]])
        expect(
          await outcome(await withJwk({ ...key.jwk, [member]: value })),
        ).toEqual(invalid);
    },
  );

  it("is refused with the private key of the proof itself", async () => {
    expect(
      await outcome(await withJwk(await exportJWK(key.privateKey))),
    ).toEqual(invalid);
  });

  it.each([
    ["text", "AAAA"],
    ["an array", []],
    ["null", null],
    ["a number", 7],
    ["empty", {}],
    ["a set", { keys: [] }],
  ])("is refused if it is %s", async (_, jwk) => {
    expect(await outcome(await withJwk(jwk))).toEqual(invalid);
  });

  it("must be of the kind and the curve that alg needs", async () => {
    const made = await Promise.all(
      ["ES256", "ES384", "EdDSA", "RS256"].map((alg) => makeProofKey(alg)),
    );
    for (const { alg, ...pair } of made)
      for (const claimed of made) {
        if (claimed.alg === alg) continue;
        expect(await outcome(await withJwk(pair.jwk, claimed.alg))).toEqual(
          invalid,
        );
        // As if only the name of the curve or of the kind were wrong.
        const { kty, crv } = claimed.jwk;
        const renamed = { ...pair.jwk, kty, ...(crv && { crv }) };
        expect(await outcome(await withJwk(renamed, claimed.alg))).toEqual(
          invalid,
        );
      }
    for (const crv of [
      "secp256k1",
      "P-384",
      "p-256",
      "Ed448",
      "X25519",
      ["P-256"],
    ])
      expect(await outcome(await withJwk({ ...key.jwk, crv }))).toEqual(
        invalid,
      );
    expect(await outcome(await withJwk({ ...key.jwk, kty: "ec" }))).toEqual(
      invalid,
    );
    expect(
      await outcome(await withJwk({ ...made[3]!.jwk, crv: "X25519" }, "EdDSA")),
    ).toEqual(invalid);
  });

  it("must be a point of the curve, each coordinate with all of its bytes", async () => {
    const { x, y } = key.jwk as { x: string; y: string };
    const [xBytes, yBytes] = [base64url.decode(x), base64url.decode(y)];
    const changed = yBytes.slice();
    changed[31]! ^= 1;
    for (const wrong of [
      { x: encoded(bytes(hex(0n))), y: encoded(bytes(hex(0n))) },
      { x: encoded(bytes(hex(p))) },
      { y: encoded(bytes(hex(p))) },
      { y: encoded(changed) },
      { x: y, y: x },
      { x: "", y: "" },
      { x: undefined },
      { y: undefined },
      { x: [x] },
      { x: encoded(xBytes.subarray(1)) },
      { x: encoded(Uint8Array.of(0, ...xBytes)) },
      { x: encoded(Uint8Array.of(4, ...xBytes, ...yBytes)), y: "" },
      { x: `${x}=` },
      { x: ` ${x}` },
      // The last character of 32 bytes has two unused bits.
      { x: x.slice(0, -1) + String.fromCharCode(x.charCodeAt(42) + 1) },
      { x: numberOf(xBytes).toString() },
    ])
      expect(await outcome(await withJwk({ ...key.jwk, ...wrong }))).toEqual(
        invalid,
      );
  });

  it("has one thumbprint, whatever else stands in it", async () => {
    const { kty, crv, x, y } = key.jwk;
    const jwk = {
      y,
      x,
      kid: "1",
      use: "enc",
      key_ops: ["sign"],
      ext: false,
      alg: "RS256",
      crv,
      kty,
      iat: "x",
    };
    const { access_token } = await (
      await ask(await withJwk(jwk))
    ).json<{ access_token: string }>();
    const claims = JSON.parse(
      new TextDecoder().decode(base64url.decode(access_token.split(".")[1]!)),
    ) as { cnf: unknown };
    expect(claims.cnf).toEqual({ jkt: key.jkt });
  });

  describe("of RSA", () => {
    let rsa: ProofKey;
    const rsaProof = (jwk: JWK) => proofOf({ ...rsa, jwk });

    beforeAll(async () => {
      rsa = await makeProofKey("PS256");
    });

    it("must not serve another algorithm than the proof names", async () => {
      const proof = await proofOf(rsa);
      expect((await ask(proof)).status).toBe(200);
      const [, payload, signature] = proof.split(".");
      const header = encoded(headerOf(rsa, { alg: "RS256" }));
      expect(await outcome(`${header}.${payload}.${signature}`)).toEqual(
        invalid,
      );
    });

    it("must have 2048 to 8192 bits", async () => {
      const bits = "2048 to 8192 bits";
      for (const length of [64, 128, 255, 1025])
        expect(
          await toldOf(
            await rsaProof({
              ...rsa.jwk,
              n: encoded(new Uint8Array(length).fill(0xff)),
            }),
          ),
        ).toContain(bits);
    });

    it("must have n and e without leading zeros, and a usual e", async () => {
      const modulus = base64url.decode(rsa.jwk.n!);
      const even = modulus.slice();
      even[even.length - 1]! &= 0xfe;
      for (const wrong of [
        { n: encoded(Uint8Array.of(0, ...modulus)) },
        { n: `${rsa.jwk.n}==` },
        { n: "" },
        { n: undefined },
        { n: encoded(even) },
        { e: "AAEAAQ" },
        { e: "" },
        { e: undefined },
        { e: "AQ" },
        { e: "AA" },
        { e: "Ag" },
        { e: "AQAC" },
        { e: 65_537 },
      ])
        expect(
          await outcome(await rsaProof({ ...rsa.jwk, ...wrong } as JWK)),
        ).toEqual(invalid);
    });

    it("must not have an e that makes the check slow", async () => {
      for (const e of ["AQAAAAAB", rsa.jwk.n!])
        expect(await toldOf(await rsaProof({ ...rsa.jwk, e }))).toContain(
          "too large e",
        );
    });

    it("must have made the signature", async () => {
      const proof = await proofOf(rsa);
      const size = signatureOf(proof).length;
      const one = new Uint8Array(size);
      one[size - 1] = 1;
      for (const signature of [
        new Uint8Array(size),
        one,
        base64url.decode(rsa.jwk.n!),
        signatureOf(proof).subarray(1),
        Uint8Array.of(0, ...signatureOf(proof)),
      ])
        expect(await outcome(withSignature(proof, signature))).toEqual(invalid);
    });
  });
});
