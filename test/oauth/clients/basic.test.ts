import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MAX_PER_NETWORK } from "../../../src/oauth/guess-limit.ts";
import { countingBindings } from "../../support/counting.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { rewriteClient } from "../../support/records.ts";
import { reasonOf } from "../../support/request-lines.ts";
import {
  basic,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../../support/server.ts";

/**
 * HTTP Basic as libraries send it: with an empty password for a public client, and with id and secret that are
 * not form-encoded (RFC 6749 section 2.3.1 asks for that, and few do it).
 */

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The client was authenticated: the request is refused for its refresh token only. */
const authenticated = [400, "invalid_grant", "refresh_token_malformed"];
const unknown = [401, "invalid_client", "client_unknown"];
const wrongSecret = [401, "invalid_client", "client_secret_wrong"];
const wrongMethod = [
  401,
  "invalid_client",
  "client_authentication_method_wrong",
];
const limited = [429, "temporarily_unavailable", "client_secrets_limited"];

/** Basic as `curl -u id:secret` sends it: not form-encoded. */
function raw(id: string, secret: string): string {
  const bytes = new TextEncoder().encode(`${id}:${secret}`);
  return `Basic ${bytes.toBase64()}`;
}

function attempt(
  Authorization: string,
  more: Record<string, string> = {},
  { to = server, address = "" } = {},
): Promise<Response> {
  const form = { grant_type: "refresh_token", refresh_token: "none", ...more };
  const network = address === "" ? {} : { "CF-Connecting-IP": address };
  return to.token(form, { Authorization, ...network });
}

async function answer(...args: Parameters<typeof attempt>) {
  return refusal(await attempt(...args));
}

function makeClient(metadata: Record<string, unknown>): Promise<TestClient> {
  return server.makeClient(metadata);
}

/** An isolate that counts guesses by itself, and logs nothing about the missing rate limits. */
function isolate(): TestServer {
  listenToLog();
  return serverWith({
    GUESSES_PER_NETWORK: undefined,
    GUESSES_PER_SITE: undefined,
  });
}

describe("Basic with an empty password", () => {
  const withoutSecret = { token_endpoint_auth_method: "none" };

  it("is a request without a secret: a public client gets in, with its client_id in the body or not", async () => {
    const { client_id } = await makeClient(withoutSecret);
    expect(await answer(basic(client_id, ""))).toEqual(authenticated);
    expect(await answer(basic(client_id, ""), { client_id })).toEqual(
      authenticated,
    );
    const both = { client_id, client_secret: "" };
    expect(await answer(basic(client_id, ""), both)).toEqual(authenticated);
    const revoked = await server.http("/revoke", {
      method: "POST",
      headers: { Authorization: basic(client_id, "") },
      body: new URLSearchParams({ token: "none" }),
    });
    expect(revoked.status).toBe(200);
  });

  it("works for a public client's refresh", async () => {
    const client = await makeClient(withoutSecret);
    const { refresh_token } = await server.login(client);
    const response = await server.token(
      { grant_type: "refresh_token", refresh_token },
      { Authorization: raw(client.client_id, "") },
    );
    expect(response.status).toBe(200);
  });

  it("keeps every confidential client out, also one that has no secret", async () => {
    const methods = [undefined, "client_secret_basic", "client_secret_post"];
    for (const token_endpoint_auth_method of methods) {
      const client = await makeClient({ token_endpoint_auth_method });
      const { client_id } = client;
      const response = await attempt(basic(client_id, ""));
      expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic /);
      expect(await refusal(response)).toEqual(wrongMethod);
      expect(await answer(basic(client_id, ""), { client_id })).toEqual(
        wrongMethod,
      );

      await rewriteClient(client, { secrets: [] });
      const elsewhere = { to: serverWith({}) };
      for (const header of [basic(client_id, ""), raw(client_id, "x")]) {
        const [status, error] = await answer(header, {}, elsewhere);
        expect([status, error]).toEqual([401, "invalid_client"]);
      }
    }
    expect(await answer(basic("nobody", ""))).toEqual(unknown);
  });

  it("keeps a confidential client out whose secret is stored as the empty text's hash", async () => {
    const client = await makeClient({});
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array());
    const hash = new Uint8Array(digest).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    await rewriteClient(client, { secrets: [{ hash, created_at: 1 }] });
    const elsewhere = { to: serverWith({}) };
    expect(await answer(basic(client.client_id, ""), {}, elsewhere)).toEqual(
      wrongMethod,
    );
  });

  it("does not make a password good for a public client", async () => {
    const { client_id } = await makeClient(withoutSecret);
    for (const password of ["x", " ", "+", "%20", "%00", "%"])
      expect(await answer(raw(client_id, password))).toEqual(wrongMethod);
  });

  it("is invalid_request with a client_secret or another client_id in the body", async () => {
    const client = await makeClient({});
    const { client_id, client_secret } = client;
    const header = basic(client_id, "");
    for (const body of [{ client_id, client_secret }, { client_secret }])
      expect(await answer(header, body)).toEqual([
        400,
        "invalid_request",
        "two_authentication_methods",
      ]);
    const publicClient = await makeClient(withoutSecret);
    for (const body of [{ client_id }, { client_id: `${client_id} ` }])
      expect(await answer(basic(publicClient.client_id, ""), body)).toEqual([
        400,
        "invalid_request",
        "two_client_ids",
      ]);
  });

  it("needs an id", async () => {
    const { client_id } = await makeClient(withoutSecret);
    for (const header of ["Basic Og==", "Basic", "Basic ", raw("", "x")])
      for (const body of [{}, { client_id }])
        expect(await answer(header, body as Record<string, string>)).toEqual([
          401,
          "invalid_client",
          "basic_credentials_malformed",
        ]);
  });

  it("guesses nothing, so it neither counts nor is limited", async () => {
    const to = isolate();
    const client = await makeClient({});
    const { client_id, client_secret } = client;
    const from = { to, address: "192.0.2.1" };
    for (let sent = 0; sent <= MAX_PER_NETWORK; sent++)
      expect((await attempt(basic(client_id, ""), {}, from)).status).toBe(401);
    const right = basic(client_id, client_secret);
    expect(await answer(right, {}, from)).toEqual(authenticated);
  });

  it("may have a raw id with a plus or a percent sign", async () => {
    for (const client_id of ["app+one", "100%app", "app%2Btwo", "app%zz"]) {
      await makeClient({ client_id, ...withoutSecret });
      expect(await answer(raw(client_id, ""))).toEqual(authenticated);
      expect(await answer(raw(client_id, ""), { client_id })).toEqual(
        authenticated,
      );
      expect(await answer(basic(client_id, ""))).toEqual(authenticated);
    }
  });
});

/** Secrets that read differently when they are form-decoded, or that cannot be decoded. */
const secrets = [
  "se+cr%t/==and+more",
  "p%41ssword-p%41ssword",
  "a trailing percent sign %",
  "100% sure, 50% more%2",
  "%%%%%%%%%+++++++++",
  "%2525252525252525",
  "colons:in:it::and+a+plus:",
  "not UTF-8: %ff%fe%80 %c3%28",
  "~!@#$^&*()_-={}[]|\\;'\"<>,.?/+%",
  `${"+%".repeat(127)}x`,
];

describe("Basic that is not form-encoded", () => {
  it.each(secrets)(
    "works with the secret %j, like the form-encoded one",
    async (client_secret) => {
      const { client_id } = await makeClient({ client_secret });
      expect(await answer(raw(client_id, client_secret))).toEqual(
        authenticated,
      );
      expect(await answer(basic(client_id, client_secret))).toEqual(
        authenticated,
      );
      const strictlyEncoded = encodeURIComponent(client_secret);
      expect(await answer(raw(client_id, strictlyEncoded))).toEqual(
        authenticated,
      );
      const inBody = await server.token({
        grant_type: "refresh_token",
        refresh_token: "none",
        client_id,
        client_secret,
      });
      expect(await refusal(inBody)).toEqual(authenticated);
    },
  );

  it.each(["app+1", "100%", "app%41", "an app", "%61pp+%62", "app%ff"])(
    "works with the id %j, alone or with the same client_id in the body",
    async (client_id) => {
      const client_secret = "se+cr%t/==and+more";
      await makeClient({ client_id, client_secret });
      for (const header of [
        raw(client_id, client_secret),
        basic(client_id, client_secret),
      ]) {
        expect(await answer(header)).toEqual(authenticated);
        expect(await answer(header, { client_id })).toEqual(authenticated);
        expect(await answer(header, { client_id: "other" })).toEqual([
          400,
          "invalid_request",
          "two_client_ids",
        ]);
      }
    },
  );

  it("gets the tokens of a real grant", async () => {
    const client_secret = "se+cr%t/==and+more";
    const { client_id } = await makeClient({
      client_secret,
      grant_types: ["client_credentials"],
    });
    const response = await server.token(
      { grant_type: "client_credentials" },
      { Authorization: raw(client_id, client_secret) },
    );
    expect(response.status).toBe(200);
  });

  it("opens a secret by two spellings only: form-encoded, and as it stands", async () => {
    const client_secret = "p%41ssword-p%41ssword";
    const { client_id } = await makeClient({ client_secret });
    for (const spelling of [
      "pAssword-pAssword",
      "p%41ssword-pAssword",
      "p%2541ssword-p%41ssword",
      "p%252541ssword-p%252541ssword",
      "p%41ssword-p%41ssword+",
      "p%41ssword-p%41ssword%",
      " p%41ssword-p%41ssword",
      "P%41SSWORD-P%41SSWORD",
    ])
      expect(await answer(raw(client_id, spelling)), spelling).toEqual(
        wrongSecret,
      );
    // A secret that one reads as the other stays another client's.
    const plain = await makeClient({ client_secret: "pAssword-pAssword" });
    expect(
      await answer(raw(plain.client_id, "p%2541ssword-p%2541ssword")),
    ).toEqual(wrongSecret);
  });

  it("is not mixed: id and secret are both decoded, or both as they stand", async () => {
    const client_id = "mixed+app";
    const client_secret = "a+secret+with+plus";
    await makeClient({ client_id, client_secret });
    expect(await answer(raw("mixed+app", "a%2Bsecret%2Bwith%2Bplus"))).toEqual(
      wrongSecret,
    );
    expect(await answer(raw("mixed%2Bapp", "a+secret+with+plus"))).toEqual(
      wrongSecret,
    );
  });

  it("decodes nothing in the body beyond the form itself", async () => {
    const client_secret = "se+cr%2Bt/==and+more";
    const { client_id } = await makeClient({ client_secret });
    const post = async (secret: string) => {
      const form = { grant_type: "refresh_token", refresh_token: "none" };
      const credentials = { client_id, client_secret: secret };
      return refusal(await server.token({ ...form, ...credentials }));
    };
    expect(await post(client_secret)).toEqual(authenticated);
    for (const secret of [
      encodeURIComponent(client_secret),
      "se cr+t/==and more",
      "se+cr+t/==and+more",
    ])
      expect(await post(secret)).toEqual(wrongSecret);
  });

  it("gets in only where the method may be Basic", async () => {
    const client_secret = "se+cr%t/==and+more";
    const { client_id } = await makeClient({
      client_secret,
      token_endpoint_auth_method: "client_secret_post",
    });
    expect(await answer(raw(client_id, client_secret))).toEqual(wrongMethod);
  });

  it("tells two clients apart whose ids read alike, each with its own secret", async () => {
    const spaced = await makeClient({ client_id: "two readings" });
    const plus = await makeClient({ client_id: "two+readings" });
    const lines = listenToLog();
    const ask = (header: string, body = {}) => answer(header, body);
    expect(await ask(raw("two+readings", plus.client_secret))).toEqual(
      authenticated,
    );
    expect(await ask(raw("two+readings", spaced.client_secret))).toEqual(
      authenticated,
    );
    const clients = parsedLog(lines).map(({ client_id }) => client_id);
    expect(clients).toEqual(["two+readings", "two readings"]);

    // client_id in the body says which reading is meant.
    const { client_id } = spaced;
    expect(
      await ask(raw("two+readings", plus.client_secret), { client_id }),
    ).toEqual(wrongSecret);
    expect(
      await ask(raw("two+readings", spaced.client_secret), {
        client_id: plus.client_id,
      }),
    ).toEqual(wrongSecret);
    expect(await ask(basic("two+readings", spaced.client_secret))).toEqual(
      wrongSecret,
    );
  });

  it("is the decoded pair if both fit", async () => {
    const client_secret = "the same secret twice";
    await makeClient({ client_id: "both fit", client_secret });
    await makeClient({ client_id: "both+fit", client_secret });
    const lines = listenToLog();
    expect(await answer(raw("both+fit", client_secret))).toEqual(authenticated);
    expect(parsedLog(lines)).toMatchObject([{ client_id: "both fit" }]);
  });

  it.each([
    ["not base64", "Basic !!!"],
    ["base64url", "Basic YX5-fj9_Pw"],
    ["not UTF-8", "Basic /zp4"],
    ["without a colon", `Basic ${btoa("an+id")}`],
    ["longer than a body may be", raw("an+id", "+".repeat(16 * 1024))],
  ])("is malformed if it is %s", async (_, header) => {
    expect(await answer(header)).toEqual([
      401,
      "invalid_client",
      "basic_credentials_malformed",
    ]);
  });
});

describe("the cost of Basic that can be read in two ways", () => {
  const right = "a+secret+with+plus";

  /** Counts the hashes that a request makes. */
  async function hashesOf(send: () => Promise<unknown>): Promise<number> {
    const digest = vi.spyOn(crypto.subtle, "digest");
    await send();
    const { length } = digest.mock.calls;
    digest.mockRestore();
    return length;
  }

  it("is the same for both readings, and for a wrong secret and an unknown client", async () => {
    const { client_id } = await makeClient({ client_secret: right });
    const hashes = (header: string) => hashesOf(() => attempt(header));
    const asItStands = await hashes(raw(client_id, right));
    expect(asItStands).toBeGreaterThan(0);
    // The decoded pair fits, and the pair as it stands does not.
    expect(await hashes(basic(client_id, right))).toBe(asItStands);
    const wrong = await hashes(raw(client_id, "wrong+secret"));
    expect(await hashes(raw("nobody", "wrong+secret"))).toBe(wrong);
    expect(await hashes(raw(client_id, "also wrong%2E"))).toBe(wrong);
  });

  it("is one look at KV if the id is the same in both, and one for each id if not, known or unknown", async () => {
    await makeClient({ client_id: "kv+one", client_secret: right });
    const lookUps = async (id: string, secret: string) => {
      const { calls, bindings } = countingBindings();
      const to = serverWith(bindings);
      await attempt(raw(id, secret), {}, { to });
      return calls.kvRead;
    };
    const { client_id } = await makeClient({ client_secret: right });
    expect(await lookUps(client_id, right)).toBe(1);
    expect(await lookUps(client_id, "wrong+secret")).toBe(1);
    expect(await lookUps("nobody", "wrong+secret")).toBe(1);
    expect(await lookUps("kv+one", right)).toBe(2);
    expect(await lookUps("kv+one", "wrong+secret")).toBe(2);
    expect(await lookUps("no+body", "wrong+secret")).toBe(2);
  });

  it("is at most one more look at KV per second and id", async () => {
    await makeClient({ client_id: "again+one", client_secret: right });
    const { calls, bindings } = countingBindings();
    const to = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const wrong = raw("again+one", "wrong+secret");
    for (let tries = 0; tries < 20; tries++) await attempt(wrong, {}, { to });
    expect(calls.kvRead).toBe(2);
    vi.advanceTimersByTime(1000);
    for (let tries = 0; tries < 20; tries++) await attempt(wrong, {}, { to });
    expect(calls.kvRead).toBe(4);
  });

  it("lets a new client in at once, in both readings", async () => {
    const one = serverWith({});
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const header = raw("new+client", right);
    expect(await answer(header, {}, { to: one })).toEqual(unknown);
    await makeClient({ client_id: "new+client", client_secret: right });
    vi.advanceTimersByTime(1000);
    expect(await answer(header, {}, { to: one })).toEqual(authenticated);
  });

  it("does not show in the log which reading was right", async () => {
    const { client_id } = await makeClient({ client_secret: right });
    const lines = listenToLog();
    await attempt(raw(client_id, right));
    await attempt(basic(client_id, right));
    const [asItStands, decoded] = parsedLog(lines).map(
      ({ request_id: _, duration_ms: __, durations_ms: ___, ...line }) => line,
    );
    expect(asItStands).toEqual(decoded);
    expect(lines.join()).not.toContain(right);
  });
});

describe("wrong guesses by Basic that can be read in two ways", () => {
  it("count twice, because two secrets are tried", async () => {
    const to = isolate();
    const { client_id, client_secret } = await makeClient({});
    const from = { to, address: "192.0.2.2" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent += 2)
      expect(await answer(raw(client_id, "wrong+secret"), {}, from)).toEqual(
        wrongSecret,
      );
    expect(await answer(basic(client_id, client_secret), {}, from)).toEqual(
      limited,
    );
  });

  it("never exceed the limit by one: the last single guess is left for a single secret", async () => {
    const to = isolate();
    const { client_id } = await makeClient({});
    const from = { to, address: "192.0.2.3" };
    for (let sent = 0; sent < MAX_PER_NETWORK - 1; sent++)
      await attempt(raw(client_id, "wrong"), {}, from);
    expect(await answer(raw(client_id, "wrong+secret"), {}, from)).toEqual(
      limited,
    );
    expect(await answer(raw(client_id, "wrong"), {}, from)).toEqual(
      wrongSecret,
    );
    expect(await answer(raw(client_id, "wrong"), {}, from)).toEqual(limited);
  });

  it("are limited when they come all at once, too", async () => {
    const to = isolate();
    const { client_id } = await makeClient({});
    const from = { to, address: "192.0.2.4" };
    const answers = await Promise.all(
      Array.from({ length: MAX_PER_NETWORK }, () =>
        attempt(raw(client_id, "wrong+secret"), {}, from),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(
      MAX_PER_NETWORK / 2,
    );
  });

  it("count for both clients, so that neither id is a way around the limit of the other", async () => {
    const to = isolate();
    const plus = await makeClient({ client_id: "guessed+app" });
    const spaced = await makeClient({ client_id: "guessed app" });
    const from = { to, address: "192.0.2.5" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      expect(await answer(raw("guessed+app", "wrong"), {}, from)).toEqual(
        wrongSecret,
      );
    for (const { client_id, client_secret } of [plus, spaced]) {
      expect(await answer(basic(client_id, client_secret), {}, from)).toEqual(
        limited,
      );
      const { to: _, ...elsewhere } = from;
      expect(
        await answer(basic(client_id, client_secret), {}, elsewhere),
      ).toEqual(authenticated);
    }
  });

  it("are limited by either id, also where only one of the two clients exists", async () => {
    const to = isolate();
    await makeClient({ client_id: "lone+app" });
    const from = { to, address: "192.0.2.6" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await attempt(basic("lone+app", "wrong"), {}, from);
    expect(await answer(raw("lone+app", "wrong"), {}, from)).toEqual(limited);
  });

  it("do not count for an id that no client can have", async () => {
    const to = isolate();
    const client_id = "app%C3%BC";
    const { client_secret } = await makeClient({ client_id });
    const from = { to, address: "192.0.2.7" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await attempt(raw("ümlaut", "wrong"), {}, from);
    expect(await answer(raw("ümlaut", "wrong"), {}, from)).toEqual(limited);
    expect(await answer(raw(client_id, client_secret), {}, from)).toEqual(
      authenticated,
    );
  });

  it("do not count if one reading is right", async () => {
    const to = isolate();
    const client_secret = "a+secret+with+plus";
    const { client_id } = await makeClient({ client_secret });
    const from = { to, address: "192.0.2.8" };
    for (let sent = 0; sent <= MAX_PER_NETWORK; sent++)
      expect(await answer(raw(client_id, client_secret), {}, from)).toEqual(
        authenticated,
      );
  });

  it("keep nothing of the credentials in storage", async () => {
    const { client_id } = await makeClient({});
    const before = await env.KV.list();
    await attempt(raw(client_id, "wrong+secret"));
    expect(await env.KV.list()).toEqual(before);
  });
});

it("a refusal of Basic says the same for every reason", async () => {
  const { client_id } = await makeClient({});
  const responses = [
    await attempt(raw(client_id, "")),
    await attempt(raw(client_id, "wrong+secret")),
    await attempt(raw("no+body", "wrong+secret")),
    await attempt(raw("no+body", "")),
  ];
  const bodies = new Set<string>();
  for (const response of responses) {
    expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic /);
    expect(reasonOf(response)).toBeDefined();
    bodies.add(await response.text());
  }
  expect(bodies.size).toBe(1);
});
