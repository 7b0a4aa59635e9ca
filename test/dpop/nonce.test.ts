import { base64url } from "jose";
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import {
  makeProofKey,
  type ProofClaims,
  type ProofKey,
} from "../support/dpop.ts";
import { proofOf } from "../support/proving.ts";
import {
  newEncryptionKey,
  setClock,
  startingAfter,
  T0,
} from "../support/rotation.ts";
import {
  type ErrorBody,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** Tests the nonces of DPoP proofs (RFC 9449 section 8). The clock of these tests is in seconds from `T0`. */

let client: TestClient;
let key: ProofKey;

beforeAll(async () => {
  client = await server.makeClient({ grant_types: ["client_credentials"] });
  key = await makeProofKey();
});

beforeEach(() => setClock(0));

afterEach(() => {
  vi.useRealTimers();
});

const needsNonce = [400, "use_dpop_nonce", "dpop_nonce_missing"];
const strict = serverWith({ DPOP_NONCE_REQUIRED: "on" });

/** Asks for a token with a proof. `claims` changes the proof. */
async function ask(
  claims: Partial<ProofClaims> = {},
  at: TestServer = server,
  form: Record<string, string> = {},
): Promise<Response> {
  const { client_id, client_secret } = client;
  return at.token(
    { grant_type: "client_credentials", client_id, client_secret, ...form },
    { DPoP: await proofOf(key, claims) },
  );
}

function nonceOf(response: Response): string {
  return response.headers.get("DPoP-Nonce") ?? "none";
}

/** Gets a nonce. */
async function freshNonce(at: TestServer = server): Promise<string> {
  return nonceOf(await ask({}, at));
}

async function statusWith(
  nonce: unknown,
  at: TestServer = strict,
): Promise<number> {
  return (await ask({ nonce }, at)).status;
}

/** A time that no proof without a nonce may have: so many seconds from that of the server. */
function wrongClock(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

describe("the answer to a request with a proof", () => {
  it("has a nonce, if it is a success or asks for one", async () => {
    const answers = [await ask(), await ask({ iat: 1 }), await ask({}, strict)];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 400]);
    for (const answer of answers) {
      // RFC 9449 section 8.1.
      expect(nonceOf(answer)).toMatch(/^[\x21\x23-\x5B\x5D-\x7E]+$/);
      expect(await statusWith(nonceOf(answer))).toBe(200);
    }
  });

  it("has none, if it is another refusal: oidc-client-ts takes each refusal with one for use_dpop_nonce", async () => {
    const answers = [
      await ask({ htm: "GET" }),
      await ask({}, server, { client_secret: "wrong" }),
      await ask({ iat: 1 }, server, { client_secret: "wrong" }),
      await ask({}, server, { client_id: "nobody" }),
      await ask({}, server, { grant_type: "refresh_token" }),
      await ask({}, server, { grant_type: "unknown" }),
      await ask({}, server, { grant_type: "" }),
      await ask({}, server, { scope: "\n" }),
      await server.http("/access_token", {
        method: "POST",
        headers: { DPoP: "garbage", "Content-Type": "application/json" },
        body: "{}",
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      400, 401, 401, 401, 400, 400, 400, 400, 400,
    ]);
    for (const answer of answers) expect(nonceOf(answer)).toBe("none");
  });

  it("may be read by a page of another origin, with its nonce", async () => {
    const { headers } = await ask();
    expect(headers.get("Access-Control-Allow-Origin")).toBe("*");
    const exposed = headers.get("Access-Control-Expose-Headers") ?? "";
    expect(exposed.split(",")).toContain("DPoP-Nonce");
  });

  it("has none without a proof: nothing changes for bearer tokens", async () => {
    const { client_id, client_secret } = client;
    const form = { grant_type: "client_credentials", client_id, client_secret };
    for (const at of [server, strict]) {
      const response = await at.token(form);
      expect(response.headers.has("DPoP-Nonce")).toBe(false);
      expect(await response.json()).toMatchObject({ token_type: "Bearer" });
    }
  });
});

describe("a nonce", () => {
  it("stands in for iat, so that a client with a wrong clock gets in at its second try", async () => {
    for (const seconds of [-61, 61, -86_400 * 365, 86_400 * 365]) {
      const iat = wrongClock(seconds);
      const first = await ask({ iat });
      const { error_description } = await first.clone().json<ErrorBody>();
      expect(error_description).toBe(
        "The DPoP proof needs a nonce of this server: the time in its iat is more than a minute from that of this server. Try again with the nonce in the header DPoP-Nonce.",
      );
      expect(await refusal(first)).toEqual(needsNonce);
      const second = await ask({ iat, nonce: nonceOf(first) });
      expect(second.status).toBe(200);
    }
  });

  it("also stands in for exp and nbf, which few proofs have", async () => {
    for (const times of [{ exp: wrongClock(-61) }, { nbf: wrongClock(61) }]) {
      expect(await refusal(await ask(times))).toEqual(needsNonce);
      const nonce = await freshNonce();
      expect((await ask({ ...times, nonce })).status).toBe(200);
    }
  });

  it("is not offered as the cure for a proof that is wrong otherwise", async () => {
    for (const claims of [{ htm: "GET" }, { htu: "https://x.example" }])
      expect(await refusal(await ask({ ...claims, iat: 1 }, strict))).toEqual([
        400,
        "invalid_dpop_proof",
        "dpop_proof_invalid",
      ]);
  });

  it("must be in each proof where DPOP_NONCE_REQUIRED is on", async () => {
    expect(await refusal(await ask({}, strict))).toEqual(needsNonce);
    const nonce = await freshNonce(strict);
    expect(await statusWith(nonce)).toBe(200);
    // A client may use it again, until it gets a newer one.
    expect(await statusWith(nonce)).toBe(200);
  });

  it("is good for five minutes, and newer ones do not end it", async () => {
    const nonce = await freshNonce();
    for (const [seconds, status] of [
      [60, 200],
      [300, 200],
      [301, 400],
      [86_400, 400],
      [0, 200],
    ] as const) {
      setClock(seconds);
      expect([seconds, await statusWith(nonce)]).toEqual([seconds, status]);
      expect(await statusWith(await freshNonce())).toBe(200);
    }
  });

  it("may be of a location whose clock is a minute ahead, but not more", async () => {
    setClock(60);
    const early = await freshNonce();
    setClock(61);
    const earlier = await freshNonce();
    setClock(0);
    expect(await statusWith(early)).toBe(200);
    expect(await statusWith(earlier)).toBe(400);
  });

  it("does no harm when it has become old: a client that comes each hour is not sent back for a new one", async () => {
    const nonce = await freshNonce();
    setClock(3_600);
    expect(await statusWith(nonce, server)).toBe(200);
    const slow = await ask({ nonce, iat: wrongClock(-61) });
    expect(await refusal(slow)).toEqual(needsNonce);
  });

  it("is refused if anything of it is changed, and every other text as well", async () => {
    const nonce = await freshNonce();
    const bytes = base64url.decode(nonce);
    const changed = Array.from(bytes.keys(), (position) => {
      const copy = bytes.slice();
      copy[position]! ^= 1;
      return base64url.encode(copy);
    });
    for (const wrong of [
      ...changed,
      "",
      "x",
      nonce.slice(1),
      nonce.slice(0, -1),
      `${nonce}A`,
      `${nonce}=`,
      ` ${nonce}`,
      nonce.replace(/.$/, " "),
      "A".repeat(28),
      "_".repeat(28),
      "é".repeat(28),
      "x".repeat(4_000),
    ])
      for (const at of [server, strict])
        expect([wrong, await refusal(await ask({ nonce: wrong }, at))]).toEqual(
          [wrong, needsNonce],
        );
  });

  it("of another server is refused", async () => {
    const elsewhere = serverWith({ ENCRYPTION_KEY: newEncryptionKey() });
    const nonce = await freshNonce(elsewhere);
    expect(await statusWith(nonce, elsewhere)).toBe(200);
    expect(await refusal(await ask({ nonce }))).toEqual(needsNonce);
  });

  it("stays good while ENCRYPTION_KEY rotates, on both sides of the change", async () => {
    const ENCRYPTION_KEY = newEncryptionKey();
    const ENCRYPTION_KEY_NEXT = startingAfter(30, newEncryptionKey());
    const before = serverWith({ ENCRYPTION_KEY });
    const during = serverWith({ ENCRYPTION_KEY, ENCRYPTION_KEY_NEXT });
    const after = serverWith({ ENCRYPTION_KEY: ENCRYPTION_KEY_NEXT });
    const old = await freshNonce(before);
    expect(await statusWith(old, during)).toBe(200);
    setClock(29);
    // The new key makes nothing before its time.
    expect(await statusWith(await freshNonce(during), before)).toBe(200);
    setClock(30);
    const next = await freshNonce(during);
    expect(await statusWith(next, after)).toBe(200);
    expect(await statusWith(next, before)).toBe(400);
    expect(await statusWith(old, during)).toBe(200);
    expect(await statusWith(old, after)).toBe(400);
  });

  it("says nothing but the time when it was made", async () => {
    const nonce = base64url.decode(await freshNonce());
    expect(nonce.length).toBe(21);
    const time = Number.parseInt(nonce.subarray(0, 5).toHex(), 16);
    expect(time * 1000).toBe(T0);
  });
});
