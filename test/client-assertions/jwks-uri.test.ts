import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ClientKey, KeyClient, makeKey } from "../support/assertions.ts";
import { KeySite } from "../support/key-site.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { rewriteClient } from "../support/records.ts";
import { refusal, serverWith, TestServer } from "../support/server.ts";

/** The keys of a client that keeps them at a URL. */

let server: TestServer;
let key: ClientKey;
let site: KeySite;
let client: KeyClient;
let clock: { mockReturnValue: (now: number) => unknown };
let start: number;

beforeEach(async () => {
  // A server of its own is like an isolate that knows no keys.
  server = serverWith({});
  key = await makeKey("ES256", "first");
  site = new KeySite([key.jwk]);
  const { jwks_uri } = site;
  client = await KeyClient.make({ jwks_uri }, { key, at: server });
  start = Date.now();
  clock = vi.spyOn(Date, "now");
  clock.mockReturnValue(start);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets time go by, in seconds from the start. */
function at(seconds: number): void {
  clock.mockReturnValue(start + seconds * 1000);
}

const authenticated = [400, "invalid_grant", "refresh_token_malformed"];
const unknownKey = [401, "invalid_client", "client_assertion_key_unknown"];
const invalid = [401, "invalid_client", "client_keys_invalid"];

/** Sends a refresh with a malformed token. The answer 400 shows that the client was authenticated. */
async function attempt(own: ClientKey = client.key) {
  client.key = own;
  return refusal(await client.refresh("none"));
}

describe("the keys at a jwks_uri are fetched", () => {
  it("once for a crowd, and then not again while they are fresh", async () => {
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => attempt()),
    );
    for (const response of responses) expect(response).toEqual(authenticated);
    at(3590);
    expect(await attempt()).toEqual(authenticated);
    expect(site.fetched).toHaveLength(1);
    const [request] = site.fetched;
    expect([request?.method, request?.url, request?.redirect]).toEqual([
      "GET",
      site.jwks_uri,
      "manual",
    ]);
    expect(request?.headers.get("Accept")).toBe(
      "application/jwk-set+json, application/json",
    );
  });

  it("not for an assertion that is refused without them", async () => {
    const late = { claims: { exp: 1 } };
    expect(await refusal(await client.refresh("none", late))).toEqual([
      401,
      "invalid_client",
      "client_assertion_expired",
    ]);
    expect(site.fetched).toHaveLength(0);
  });

  it("again when they are old, so that a key that was withdrawn ends", async () => {
    site.answer = () =>
      site.serve(undefined, { "Cache-Control": "max-age=600" });
    await attempt();
    const second = await makeKey("ES256", "second");
    site.keys = [second.jwk];
    at(590);
    expect(await attempt(key)).toEqual(authenticated);
    at(610);
    expect(await attempt(key)).toEqual(unknownKey);
    expect(await attempt(second)).toEqual(authenticated);
  });

  it.each([
    ["with a name", "second"],
    ["without a name", undefined],
  ])("again for a new key %s, which works at once", async (_, kid) => {
    await attempt();
    at(11);
    const second = await makeKey("ES256", kid);
    site.keys = [key.jwk, second.jwk];
    expect(await attempt(second)).toEqual(authenticated);
    expect(await attempt(key)).toEqual(authenticated);
    expect(site.fetched).toHaveLength(2);
  });

  it("again for a new key with the name of the old one", async () => {
    await attempt();
    at(11);
    const second = await makeKey("ES256", "first");
    site.keys = [second.jwk];
    expect(await attempt(second)).toEqual(authenticated);
    expect(await attempt(key)).toEqual([
      401,
      "invalid_client",
      "client_assertion_wrong",
    ]);
  });

  it("at most every ten seconds for keys that are not there", async () => {
    await attempt();
    const stranger = await makeKey("ES256", "stranger");
    for (const seconds of [1, 5, 9]) {
      at(seconds);
      expect(await attempt(stranger)).toEqual(unknownKey);
    }
    expect(site.fetched).toHaveLength(1);
    for (const seconds of [11, 15, 20]) {
      at(seconds);
      expect(await attempt(stranger)).toEqual(unknownKey);
    }
    expect(site.fetched).toHaveLength(2);
  });

  it("whatever type the site gives them", async () => {
    site.answer = () => site.serve(undefined, { "Content-Type": "text/plain" });
    expect(await attempt()).toEqual(authenticated);
  });

  it("with keys that are for something else, which are passed over", async () => {
    const other = await makeKey("ES256", "other");
    site.keys = [
      { kty: "oct", k: "AAAA", kid: "first" },
      { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" },
      { ...other.jwk, use: "enc" },
      "x",
      key.jwk,
    ];
    expect(await attempt()).toEqual(authenticated);
    expect(await attempt(other)).toEqual(unknownKey);
  });
});

describe("a site that is down", () => {
  it("keeps nobody out whose keys are known, for a day", async () => {
    await attempt();
    site.goDown();
    at(23 * 3600);
    expect(await attempt()).toEqual(authenticated);
    at(25 * 3600);
    expect((await attempt())[2]).toBe("client_keys_unreachable");
  });

  it("is not the fault of its client: 429 and not invalid_client, at which apps drop their tokens", async () => {
    for (const answer of [
      () => Promise.reject<Response>(new TypeError("connection refused")),
      () => site.serve("", {}, 503),
    ]) {
      at(20 * site.fetched.length);
      site.answer = answer;
      const response = await client.refresh("none");
      expect(response.headers.get("Retry-After")).toMatch(/^\d+$/);
      expect(await refusal(response)).toEqual([
        429,
        "temporarily_unavailable",
        "client_keys_unreachable",
      ]);
    }
  });

  it("is asked again after ten seconds", async () => {
    site.goDown();
    await attempt();
    at(9);
    await attempt();
    expect(site.fetched).toHaveLength(1);
    site.answer = () => site.serve();
    at(11);
    expect(await attempt()).toEqual(authenticated);
  });

  it("does not hold up a client whose new key is not known: the old one is good", async () => {
    await attempt();
    site.goDown();
    at(11);
    expect(await attempt(await makeKey("ES256", "second"))).toEqual(unknownKey);
    expect(await attempt(key)).toEqual(authenticated);
  });
});

describe("an answer that is not a set of keys", () => {
  const answers: [string, (own: KeySite) => Response][] = [
    ["its URL answered 404, not 200", (own) => own.serve({}, {}, 404)],
    [
      "its URL answered 302. Redirects are not followed",
      (own) => own.serve("", { Location: "http://169.254.169.254/" }, 302),
    ],
    ["it must be a JWK set in JSON", (own) => own.serve("<html>")],
    ["it must be a JWK set in JSON", (own) => own.serve("[]")],
    ["it must have at least one key", (own) => own.serve({ keys: [] })],
    ["it has more than 64 KiB", (own) => own.serve("x".repeat(64 * 1024 + 1))],
  ];

  it.each(answers.map(([problem, answer]) => ({ problem, answer })))(
    "keeps its client out, and the log says: $problem",
    async ({ problem, answer }) => {
      const lines = listenToLog();
      site.answer = () => answer(site);
      expect(await attempt()).toEqual(invalid);
      expect(parsedLog(lines)).toContainEqual({
        event: "client_keys.refused",
        time: expect.any(Number) as number,
        jwks_uri: site.jwks_uri,
        reason: "client_keys_invalid",
        problem,
      });
      expect(site.fetched).toHaveLength(1);
    },
  );

  it("ends the keys that were known: the site has withdrawn them", async () => {
    await attempt();
    site.answer = () => site.serve({}, {}, 404);
    at(3610);
    expect(await attempt()).toEqual(invalid);
    site.goDown();
    at(3630);
    expect((await attempt())[2]).toBe("client_keys_unreachable");
  });

  it("ends no keys that are fresh, because a stranger may choose the moment of the fetch", async () => {
    await attempt();
    site.answer = () => site.serve({}, {}, 404);
    at(20);
    const stranger = new KeyClient(client.client_id, await makeKey(), server);
    expect((await stranger.refresh("none")).status).toBe(401);
    expect(site.fetched).toHaveLength(2);
    expect((await attempt())[2]).toBe("refresh_token_malformed");
    at(3610);
    expect(await attempt()).toEqual(invalid);
  });

  it("is told without the query of the URL, which may have a secret", async () => {
    const lines = listenToLog();
    site.answer = () => site.serve({}, {}, 404);
    await rewriteClient(client, { jwks_uri: `${site.jwks_uri}?code=s3cret` });
    server = serverWith({});
    await new KeyClient(client.client_id, key, server).refresh("none");
    expect(lines.join()).toContain(`${site.jwks_uri}?…`);
    expect(lines.join()).not.toContain("s3cret");
  });
});

describe("a jwks_uri that strangers could choose", () => {
  it.each([
    "http://keys.example/jwks.json",
    "https://localhost/jwks.json",
    "https://127.0.0.1/jwks.json",
    "https://2130706433/jwks.json",
    "https://0x7f.1/jwks.json",
    "https://169.254.169.254./jwks.json",
    "https://10.0.0.1:8443/jwks.json",
    "https://[::1]/jwks.json",
    "https://[::ffff:a9fe:a9fe]/jwks.json",
    "https://keys.internal/jwks.json",
    "https://keys/jwks.json",
    "https://user@keys.example/jwks.json",
    "https:keys.example/jwks.json",
    "data:application/json,{}",
  ])("is not fetched: %s", async (jwks_uri) => {
    // No operation of the server writes such a record.
    await rewriteClient(client, { jwks_uri });
    const other = new KeyClient(client.client_id, key, serverWith({}));
    expect(await refusal(await other.refresh("none"))).toEqual(invalid);
    expect(site.fetched).toHaveLength(0);
  });

  it("at a loopback address is fetched by a local server alone", async () => {
    const jwks_uri = "http://localhost:3000/jwks.json";
    await rewriteClient(client, { jwks_uri });
    const ISSUER = "http://localhost:8787";
    const local = new KeyClient(client.client_id, key, serverWith({ ISSUER }));
    const saying = { claims: { aud: ISSUER } };
    expect(await refusal(await local.refresh("none", saying))).toEqual(
      authenticated,
    );
    expect(site.fetched.map(({ url }) => url)).toEqual([jwks_uri]);
  });

  it("at the server's own origin is read in process", async () => {
    await rewriteClient(client, {
      jwks_uri: "https://auth.example.com/.well-known/jwks.json",
    });
    const other = new KeyClient(client.client_id, key, serverWith({}));
    expect(await refusal(await other.refresh("none"))).toEqual(unknownKey);
    expect(site.fetched).toHaveLength(0);
  });

  it("is fetched for at most 120 URLs without keys per minute and network", async () => {
    const record = await env.KV.get<object>(
      `client:${client.client_id}`,
      "json",
    );
    const run = crypto.randomUUID();
    const ids = Array.from({ length: 125 }, (_, n) => `${run}-${n}`);
    await Promise.all(
      ids.map((client_id) =>
        env.KV.put(
          `client:${client_id}`,
          JSON.stringify({
            ...record,
            client_id,
            jwks_uri: `${site.jwks_uri}?${client_id}`,
          }),
        ),
      ),
    );
    const from = new TestServer((request) => {
      const own = new Request(request);
      own.headers.set("CF-Connecting-IP", "192.0.2.95");
      return server.fetch(own);
    });
    site.answer = () => site.serve({}, {}, 404);
    const knock = (id: string) => new KeyClient(id, key, from).refresh("none");
    const responses = await Promise.all(ids.map(knock));
    expect(site.fetched.length).toBeLessThanOrEqual(120);
    const reasons = await Promise.all(responses.map(refusal));
    expect(reasons).toContainEqual([
      429,
      "temporarily_unavailable",
      "metadata_documents_limited",
    ]);
    // Keys that are known, and other networks, are not held up.
    site.answer = () => site.serve();
    expect(await attempt()).toEqual(authenticated);
    const known = new KeyClient(client.client_id, key, from);
    expect(await refusal(await known.refresh("none"))).toEqual(authenticated);
  });
});
