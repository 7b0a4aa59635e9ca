import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  accessTokenHash,
  makeProofKey,
  proof,
  type ProofClaims,
  type ProofKey,
} from "../support/dpop.ts";
import { blocks } from "../support/markdown.ts";
import { admin, ISSUER, login, makeClient } from "./live/server.ts";

/** Runs the examples of docs/resource-servers.md for src/resource/ as they stand there, with the local server. */

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/resource-servers.md"), "utf8");
const API = "https://api.example.com/notes";
const PAYMENTS = "https://api.example.com/payments";

type Fetch = (request: Request) => Response | Promise<Response>;

/** Saves an example as a reader does, and imports it. It is in the project, so that it finds its libraries. */
async function load(heading: string): Promise<Fetch> {
  mkdirSync(join(root, ".wrangler"), { recursive: true });
  const folder = mkdtempSync(join(root, ".wrangler/docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "example.mjs");
  const [text = ""] = blocks(page, heading, "js");
  expect(text).toContain('"https://auth.example.com"');
  writeFileSync(file, text.replace("https://auth.example.com", ISSUER));
  type Example = { app?: { fetch: Fetch }; default?: { fetch: Fetch } };
  const { app, default: worker } = (await import(file)) as Example;
  const fetch = (app ?? worker)?.fetch;
  if (!fetch) throw new Error(`The example "${heading}" exports no handler.`);
  return fetch;
}

let reader: string;
let writer: string;
let key: ProofKey;
/** Tokens of the key, for the two APIs of the examples. */
let ofNotes: string;
let ofPayments: string;

beforeAll(async () => {
  const scope = "notes:read notes:write";
  for (const name of scope.split(" "))
    await admin("PUT", `/scopes/${name}`, { description: `May ${name}` });
  const client = await makeClient({ scope, resources: [API, PAYMENTS] });
  reader = (await login(client, { scope: "notes:read", resource: API }))
    .access_token;
  writer = (await login(client, { scope, resource: API })).access_token;
  key = await makeProofKey();
  const bound = async (resource: string) =>
    (await login(client, { resource, dpop_jkt: key.jkt })).access_token;
  ofNotes = await bound(API);
  ofPayments = await bound(PAYMENTS);
});

describe.each(["A fetch handler", "Hono in a Worker"])(
  "the example “%s”",
  (heading) => {
    it("takes a good token, refuses others, and says what is missing", async () => {
      const fetch = await load(heading);
      const call = async (method: string, token?: string) => {
        const headers = { Authorization: `Bearer ${token}` };
        const init = { method, ...(token !== undefined && { headers }) };
        const response = await fetch(new Request(API, init));
        const challenge = response.headers.get("WWW-Authenticate");
        return [response.status, challenge ?? (await response.json())];
      };
      expect(await call("GET", reader)).toEqual([200, { of: "alice" }]);
      expect(await call("POST", writer)).toEqual([200, { by: "alice" }]);
      expect(await call("POST", reader)).toEqual([
        403,
        expect.stringContaining('scope="notes:read notes:write"'),
      ]);
      const middle = reader.length / 2;
      const altered = reader.slice(0, middle) + reader.slice(middle + 1);
      const metadata =
        "https://api.example.com/.well-known/oauth-protected-resource/notes";
      for (const token of [undefined, altered])
        expect(await call("GET", token)).toEqual([
          401,
          expect.stringContaining(`resource_metadata="${metadata}"`),
        ]);
      const document = await fetch(new Request(metadata));
      expect(await document.json()).toMatchObject({
        resource: API,
        authorization_servers: [ISSUER],
      });
    });
  },
);

/** Calls an example as a client of the key does. `claims` changes the proof. */
async function prove(
  fetch: Fetch,
  url: string,
  token: string,
  claims: Partial<ProofClaims> = {},
  by = key,
): Promise<[number, unknown]> {
  const ath = await accessTokenHash(token);
  const [htu] = url.split("?");
  const headers = {
    Authorization: `DPoP ${token}`,
    DPoP: await proof(by, { htm: "GET", htu, ath, ...claims }),
  };
  const response = await fetch(new Request(url, { headers }));
  const challenge = response.headers.get("WWW-Authenticate");
  return [response.status, challenge ?? (await response.json())];
}

async function asBearer(fetch: Fetch, url: string, token: string) {
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(new Request(url, { headers }))).status;
}

describe("the examples for tokens that are bound to a key", () => {
  it.each([
    ["A fetch handler", API],
    ["Hono in a Worker", API],
    ["In a Worker with a key", PAYMENTS],
    ["With jose alone", API],
  ])("“%s” takes one with its proof only", async (heading, url) => {
    const fetch = await load(heading);
    const token = url === API ? ofNotes : ofPayments;
    expect(await prove(fetch, url, token)).toEqual([200, { of: "alice" }]);
    const [withQuery] = await prove(fetch, `${url}?page=2`, token);
    expect(withQuery).toBe(200);
    const other = await makeProofKey();
    const wrong: Partial<ProofClaims>[] = [
      { htm: "POST" },
      { htu: `${url}/1` },
      { ath: await accessTokenHash(reader) },
      { ath: undefined },
      { jti: undefined },
      { iat: Math.floor(Date.now() / 1000) - 300 },
      { iat: Math.floor(Date.now() / 1000) + 300 },
      { iat: undefined },
    ];
    for (const claims of wrong)
      expect(await prove(fetch, url, token, claims)).toEqual([
        401,
        expect.stringMatching(/(?:^|, )DPoP .*algs="ES256 /),
      ]);
    const [ofOther] = await prove(fetch, url, token, {}, other);
    expect(ofOther).toBe(401);
    expect(await asBearer(fetch, url, token)).toBe(401);
  });

  it("“With jose alone” says the error in the challenge of the scheme that came, and none without a token", async () => {
    const fetch = await load("With jose alone");
    const algs = 'DPoP algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"';
    const none = `Bearer realm="notes", ${algs}`;
    const challengeOf = async (headers: Record<string, string>) =>
      (await fetch(new Request(API, { headers }))).headers.get(
        "WWW-Authenticate",
      );
    expect(await challengeOf({})).toBe(none);
    expect(await challengeOf({ Authorization: `Bearer ${ofNotes}` })).toBe(
      `Bearer realm="notes", error="invalid_token", ${algs}`,
    );
    const invalidProof = `${none}, error="invalid_dpop_proof"`;
    expect(await challengeOf({ Authorization: `DPoP ${ofNotes}` })).toBe(
      invalidProof,
    );
    const wrong = async (claims: Partial<ProofClaims>, token = ofNotes) =>
      (await prove(fetch, API, token, claims))[1];
    expect(await wrong({ iat: 1 })).toBe(invalidProof);
    expect(await wrong({ ath: "x" })).toBe(invalidProof);
    const invalidToken = `${none}, error="invalid_token"`;
    expect(await wrong({}, reader)).toBe(invalidToken);
    expect(await wrong({}, ofPayments)).toBe(invalidToken);
    const other = await makeProofKey();
    expect((await prove(fetch, API, ofNotes, {}, other))[1]).toBe(invalidToken);
  });

  it("“With jose alone” refuses one that is bound to a certificate, also with a proof", async () => {
    const fetch = await load("With jose alone");
    const client = await makeClient({
      resources: [API],
      tls_client_certificate_bound_access_tokens: true,
    });
    for (const keys of [{}, { dpop_jkt: key.jkt }]) {
      const grant = { resource: API, "x5t#S256": "A".repeat(43), ...keys };
      const { access_token: token } = await login(client, grant);
      expect(await asBearer(fetch, API, token)).toBe(401);
      expect((await prove(fetch, API, token))[0]).toBe(401);
    }
  });

  it.each([
    ["With jose alone", 200],
    ["In a Worker with a key", 401],
  ])("“%s” answers a bearer token with %i", async (heading, status) => {
    const fetch = await load(heading);
    const [url, token] =
      status === 200 ? [API, reader] : [PAYMENTS, await payer()];
    expect(await asBearer(fetch, url, token)).toBe(status);
    expect((await prove(fetch, url, token))[0]).toBe(401);
    expect((await fetch(new Request(url))).status).toBe(401);
  });
});

/** A bearer token for the API that wants none. */
async function payer(): Promise<string> {
  const client = await makeClient({ resources: [PAYMENTS] });
  return (await login(client, { resource: PAYMENTS })).access_token;
}
