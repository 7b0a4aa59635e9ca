import { exportJWK, exportSPKI, generateKeyPair, importJWK } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  asParameters,
  type ClientKey,
  goodClaims,
  KeyClient,
  makeKey,
} from "../support/assertions.ts";
import { KeySite } from "../support/key-site.ts";
import { TOKEN_URL } from "../support/proving.ts";
import {
  ecdsa,
  encoded,
  signatureOf,
  signedWith,
  withSignature,
} from "../support/raw-proof.ts";
import { rewriteClient } from "../support/records.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/**
 * Tests assertions that somebody without the client's key could make: vectors in the manner of Wycheproof, made here.
 */

let client: KeyClient;
let other: ClientKey;
let good: string;

beforeAll(async () => {
  const key = await makeKey("ES256", "one");
  client = await KeyClient.make({}, { key });
  other = await makeKey();
  good = await client.assertion();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Sends a refresh with a malformed token, which reaches the token only if the client was authenticated. */
async function outcome(client_assertion: string): Promise<string> {
  const { client_id } = client;
  const body = {
    grant_type: "refresh_token",
    refresh_token: "none",
    client_id,
  };
  const form = { ...body, ...asParameters(client_assertion) };
  return (await refusal(await server.token(form))).join(" ");
}

const authenticated = "400 invalid_grant refresh_token_malformed";
const refusedAs = (reason: string) => `401 invalid_client ${reason}`;
const wrong = refusedAs("client_assertion_wrong");

const bytes = (hex: string) => Uint8Array.fromHex(hex);

/** The order of P-256 (FIPS 186-4 section D.1.2.3). */
const n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

describe("the signature of an assertion", () => {
  it("is good before it is changed", async () =>
    expect(await outcome(good)).toBe(authenticated));

  it("is refused with any bit changed", async () => {
    for (let bit = 0; bit < 512; bit += 29) {
      const changed = signatureOf(good);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(await outcome(withSignature(good, changed))).toBe(wrong);
    }
  });

  it("is refused where a number of it is 0 or the order, and in another form", async () => {
    const signature = signatureOf(good);
    const text = signature.toHex();
    const [r, s] = [text.slice(0, 64), text.slice(64)];
    const zero = "0".repeat(64);
    for (const pair of [
      zero + zero,
      zero + s,
      r + zero,
      n + s,
      r + n,
      n + n,
      s + r,
    ])
      expect(await outcome(withSignature(good, bytes(pair)))).toBe(wrong);
    for (const form of [
      signature.subarray(0, 63),
      Uint8Array.of(...signature, 0),
      new Uint8Array(64),
    ])
      expect(await outcome(withSignature(good, form))).toBe(wrong);
    expect(await outcome(withSignature(good, new Uint8Array()))).toBe(
      refusedAs("client_assertion_malformed"),
    );
  });

  it("is refused if it is of another text, or of another key", async () => {
    const [header, payload] = good.split(".") as [string, string];
    expect(
      await outcome(
        withSignature(
          good,
          await ecdsa(other.privateKey, `${header}.${payload}`),
        ),
      ),
    ).toBe(wrong);
    expect(
      await outcome(
        withSignature(good, await ecdsa(client.key.privateKey, payload)),
      ),
    ).toBe(wrong);
    const another = encoded({ ...goodClaims(client.client_id) });
    expect(await outcome(good.replace(payload, another))).toBe(wrong);
  });
});

describe("an assertion without the key", () => {
  it("is refused without a signature, or with one that anybody can make: alg none, and HMAC with the public key or with a secret", async () => {
    const { jwk } = client.key;
    const spki = await exportSPKI((await importJWK(jwk, "ES256")) as CryptoKey);
    const secrets = [JSON.stringify(jwk), spki, String(jwk["x"]), "secret"];
    for (const alg of ["none", "None", "NONE", "HS256", "HS512"])
      for (const secret of secrets) {
        const hash = alg === "HS512" ? "SHA-512" : "SHA-256";
        const mac = await crypto.subtle.importKey(
          "raw",
          new TextEncoder().encode(secret),
          { name: "HMAC", hash },
          false,
          ["sign"],
        );
        const input = `${encoded({ alg, kid: "one" })}.${encoded({ ...goodClaims(client.client_id) })}`;
        const made = await crypto.subtle.sign(
          "HMAC",
          mac,
          new TextEncoder().encode(input),
        );
        expect(await outcome(`${input}.${encoded(new Uint8Array(made))}`)).toBe(
          refusedAs("client_assertion_algorithm_wrong"),
        );
      }
  });

  it("is refused with HMAC by a secret that the client has had", async () => {
    const { client_id, client_secret } = await server.makeClient();
    await rewriteClient(
      { client_id },
      {
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [client.key.jwk] },
      },
    );
    const mac = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(client_secret),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const input = `${encoded({ alg: "HS256" })}.${encoded({ ...goodClaims(client_id) })}`;
    const made = await crypto.subtle.sign(
      "HMAC",
      mac,
      new TextEncoder().encode(input),
    );
    const form = asParameters(`${input}.${encoded(new Uint8Array(made))}`);
    const own = serverWith({});
    expect(
      await refusal(
        await own.token({
          grant_type: "refresh_token",
          refresh_token: "x",
          ...form,
        }),
      ),
    ).toEqual([401, "invalid_client", "client_assertion_algorithm_wrong"]);
  });

  it("is refused with a key that it brings along or refers to, and nothing is fetched", async () => {
    const site = new KeySite([other.jwk]);
    for (const header of [
      { jwk: other.jwk },
      { jku: site.jwks_uri, kid: "one" },
      { x5u: site.jwks_uri, kid: "one" },
      { x5c: ["MIIB"], kid: "one" },
    ])
      expect(
        await outcome(
          await signedWith(
            other,
            { alg: "ES256", ...header },
            { ...goodClaims(client.client_id) },
          ),
        ),
      ).toBe(wrong);
    expect(site.fetched).toEqual([]);
  });

  it("is refused with an algorithm that its key is not for", async () => {
    for (const [alg, reason] of [
      ["ES384", "client_assertion_key_unknown"],
      ["RS256", "client_assertion_key_unknown"],
      ["EdDSA", "client_assertion_key_unknown"],
      ["ES256K", "client_assertion_algorithm_wrong"],
      ["RSA-OAEP", "client_assertion_algorithm_wrong"],
      ["es256", "client_assertion_algorithm_wrong"],
      ["constructor", "client_assertion_algorithm_wrong"],
    ])
      expect(
        await outcome(
          await signedWith(
            client.key,
            { alg: alg!, kid: "one" },
            { ...goodClaims(client.client_id) },
          ),
        ),
      ).toBe(refusedAs(reason!));
  });

  it("is refused with a header that it calls critical, and with a payload that stands elsewhere", async () => {
    const claims = { ...goodClaims(client.client_id) };
    for (const more of [
      { crit: ["b64"], b64: false },
      { crit: ["exp"] },
      { crit: [] },
    ])
      expect(
        await outcome(
          await signedWith(
            client.key,
            { alg: "ES256", kid: "one", ...more },
            claims,
          ),
        ),
      ).toBe(refusedAs("client_assertion_malformed"));
    const [header, , signature] = good.split(".");
    expect(await outcome(`${header}..${signature}`)).toBe(
      refusedAs("client_assertion_malformed"),
    );
    expect(await outcome(`${good}.${signature}`)).toBe(
      refusedAs("client_assertion_malformed"),
    );
    expect(await outcome(`${good}=`)).toBe(wrong);
  });
});

describe("the key of an assertion", () => {
  it("is the one that it names: not another one of the same client", async () => {
    const [one, two] = [
      await makeKey("ES256", "a"),
      await makeKey("ES256", "b"),
    ];
    const { client_id } = await KeyClient.make({
      jwks: { keys: [one.jwk, two.jwk] },
    });
    const twoKeys = new KeyClient(client_id, one, server);
    const reason = async (header: Record<string, unknown>) =>
      (await refusal(await twoKeys.refresh("none", { header })))[2];
    expect(await reason({ kid: "a" })).toBe("refresh_token_malformed");
    expect(await reason({ kid: "b" })).toBe("client_assertion_wrong");
    expect(await reason({ kid: "c" })).toBe("client_assertion_key_unknown");
    // Without a name, every key that fits is tried.
    expect(await reason({ kid: undefined })).toBe("refresh_token_malformed");
  });

  it("may have no name in the record, whatever the assertion calls it", async () => {
    const { kid: _, ...jwk } = client.key.jwk;
    const unnamed = await KeyClient.make(
      { jwks: { keys: [jwk] } },
      { key: client.key },
    );
    expect((await refusal(await unnamed.refresh("none")))[2]).toBe(
      "refresh_token_malformed",
    );
  });

  it("is one of the first four that fit and that nothing names; one that the assertion names is tried before them", async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, () => makeKey()));
    const named = await makeKey("ES256", "named");
    const { client_id } = await KeyClient.make({
      jwks: { keys: [...keys, named].map(({ jwk }) => jwk) },
    });
    const reason = async (key: ClientKey) =>
      (
        await refusal(
          await new KeyClient(client_id, key, server).refresh("none"),
        )
      )[2];
    expect(await reason(keys[3]!)).toBe("refresh_token_malformed");
    expect(await reason(keys[4]!)).toBe("client_assertion_wrong");
    expect(await reason(named)).toBe("refresh_token_malformed");
  });

  it("is tried once, although record and jwks_uri are read again; a client that does not exist costs the same", async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, () => makeKey()));
    const jwks = keys.map(({ jwk }) => jwk);
    const site = new KeySite(jwks);
    const metadata = [
      { jwks: { keys: jwks } },
      { jwks_uri: site.jwks_uri },
      { jwks: { keys: jwks.slice(0, 1) } },
      { jwks: { keys: [(await makeKey("ES384")).jwk] } },
    ];
    const at = serverWith({});
    const clients = await Promise.all(
      metadata.map((own) => KeyClient.make(own, { key: other, at })),
    );
    const nobody = new KeyClient("nobody", other, at);
    const verify = vi.spyOn(crypto.subtle, "verify");
    const cost = async (own: KeyClient) => {
      verify.mockClear();
      expect((await own.refresh("none")).status).toBe(401);
      return verify.mock.calls.length;
    };
    const costs = [];
    for (const own of [...clients, nobody]) costs.push(await cost(own));
    expect(costs).toEqual([4, 4, 1, 1, 1]);
    // The keys are fetched again, and have not changed.
    const later = Date.now() + 11_000;
    vi.spyOn(Date, "now").mockReturnValue(later);
    expect(await cost(clients[1]!)).toBe(4);
    expect(site.fetched).toHaveLength(2);
  });

  it("is used as its alg says", async () => {
    const { privateKey, publicKey } = await generateKeyPair("PS256");
    const jwk = { ...(await exportJWK(publicKey)), alg: "RS256" };
    const key = { alg: "PS256", privateKey, jwk };
    const rsa = await KeyClient.make({}, { key });
    expect((await refusal(await rsa.refresh("none")))[2]).toBe(
      "client_assertion_key_unknown",
    );
  });

  it("is a point of its curve", async () => {
    const { jwk } = client.key;
    const off = { ...jwk, y: jwk["x"] };
    const own = await KeyClient.make(
      { jwks: { keys: [off] } },
      { key: client.key },
    );
    expect((await refusal(await own.refresh("none")))[2]).toBe(
      "client_assertion_wrong",
    );
  });

  it("has 2048 bits if it is one of RSA: a smaller one is passed over", async () => {
    const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    const pair = (await crypto.subtle.generateKey(
      {
        ...algorithm,
        modulusLength: 1024,
        publicExponent: Uint8Array.of(1, 0, 1),
      },
      true,
      ["sign", "verify"],
    )) as CryptoKeyPair;
    const site = new KeySite([await exportJWK(pair.publicKey)]);
    const { jwks_uri } = site;
    const { client_id } = await KeyClient.make({ jwks_uri });
    const input = `${encoded({ alg: "RS256" })}.${encoded({ ...goodClaims(client_id) })}`;
    const signature = await crypto.subtle.sign(
      algorithm,
      pair.privateKey,
      new TextEncoder().encode(input),
    );
    const assertion = `${input}.${encoded(new Uint8Array(signature))}`;
    const form = { grant_type: "refresh_token", refresh_token: "x" };
    const sent = { ...form, ...asParameters(assertion) };
    expect((await refusal(await server.token(sent)))[2]).toBe(
      "client_keys_invalid",
    );
    expect(site.fetched).toHaveLength(1);
  });
});

describe("what the same key signs for something else", () => {
  it("authenticates nobody: a DPoP proof", async () => {
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: client.key.jwk };
    const proof = {
      jti: crypto.randomUUID(),
      htm: "POST",
      htu: TOKEN_URL,
      iat: Math.floor(Date.now() / 1000),
    };
    expect(await outcome(await signedWith(client.key, header, proof))).toBe(
      refusedAs("client_assertion_malformed"),
    );
    // Not with all the claims of an assertion either.
    const claims = { ...proof, ...goodClaims(client.client_id) };
    expect(await outcome(await signedWith(client.key, header, claims))).toBe(
      refusedAs("client_assertion_of_another_kind"),
    );
  });
});
