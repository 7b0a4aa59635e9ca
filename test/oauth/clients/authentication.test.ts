import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../../support/counting.ts";
import { reasonOf } from "../../support/request-lines.ts";
import {
  basic,
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../../support/server.ts";

/** RFC 6749 section 2.3, and the decisions on client authentication in docs/architecture.md. */

afterEach(() => {
  vi.useRealTimers();
});

const challenge = /^Basic realm="baton"/;

/** Sends a refresh with a malformed token. The answer 400 shows that the client was authenticated. */
function attempt(form: string[][], headers: Record<string, string> = {}) {
  const grant = [
    ["grant_type", "refresh_token"],
    ["refresh_token", "none"],
  ];
  return server.token([...grant, ...form], headers);
}

const authenticated = [400, "invalid_grant", "refresh_token_malformed"];

function inBody({ client_id, client_secret }: TestClient): string[][] {
  return [
    ["client_id", client_id],
    ["client_secret", client_secret],
  ];
}

describe("every failure of client authentication", () => {
  it("is 401 invalid_client with one wording", async () => {
    const confidential = await server.makeClient();
    const posting = await server.makeClient({
      token_endpoint_auth_method: "client_secret_post",
    });
    const publicClient = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const { client_id, client_secret } = confidential;
    const failures = [
      [await attempt([]), "client_id_missing"],
      [await attempt([["client_secret", client_secret]]), "client_id_missing"],
      [await attempt([["client_id", "nobody"]]), "client_unknown"],
      [
        await attempt([
          ["client_id", "nobody"],
          ["client_secret", "x"],
        ]),
        "client_unknown",
      ],
      [
        await attempt([
          ["client_id", client_id],
          ["client_secret", "wrong"],
        ]),
        "client_secret_wrong",
      ],
      [
        await attempt([
          ["client_id", client_id],
          ["client_secret", `${client_secret} `],
        ]),
        "client_secret_wrong",
      ],
      [
        await attempt([
          ["client_id", client_id],
          ["client_secret", client_secret.toUpperCase()],
        ]),
        "client_secret_wrong",
      ],
      [
        await attempt([["client_id", client_id]]),
        "client_authentication_method_wrong",
      ],
      [
        await attempt([
          ["client_id", client_id],
          ["client_secret", ""],
        ]),
        "client_authentication_method_wrong",
      ],
      [
        await attempt([
          ["client_id", publicClient.client_id],
          ["client_secret", "x"],
        ]),
        "client_authentication_method_wrong",
      ],
      [
        await attempt([
          ["client_id", "x".repeat(256)],
          ["client_secret", "x"],
        ]),
        "client_id_malformed",
      ],
      [
        await attempt([
          ["client_id", "clïent"],
          ["client_secret", "x"],
        ]),
        "client_id_malformed",
      ],
      [
        await attempt([
          ["client_id", "a\0b"],
          ["client_secret", "x"],
        ]),
        "client_id_malformed",
      ],
      [
        await attempt([], { Authorization: basic("nobody", "x") }),
        "client_unknown",
      ],
      [
        await attempt([], { Authorization: basic(client_id, "wrong") }),
        "client_secret_wrong",
      ],
      [
        await attempt([], {
          Authorization: basic(posting.client_id, posting.client_secret),
        }),
        "client_authentication_method_wrong",
      ],
      [
        await attempt([], {
          Authorization: basic(publicClient.client_id, "x"),
        }),
        "client_authentication_method_wrong",
      ],
      [
        await attempt([], { Authorization: basic(client_id, "") }),
        "client_authentication_method_wrong",
      ],
      [
        await attempt([], { Authorization: "Basic" }),
        "basic_credentials_malformed",
      ],
      [
        await attempt([], { Authorization: "Bearer something" }),
        "client_id_missing",
      ],
    ] as const;
    const bodies = new Set<string>();
    for (const [response, reason] of failures) {
      expect([response.status, reasonOf(response)]).toEqual([401, reason]);
      expect(response.headers.get("Cache-Control")).toBe("no-store");
      bodies.add(await response.text());
    }
    expect([...bodies]).toEqual([
      '{"error":"invalid_client","error_description":"Client authentication failed."}',
    ]);
  });

  it("has a challenge for Basic if the request tried Basic, and only then", async () => {
    const tried = await attempt([], { Authorization: basic("nobody", "x") });
    expect(tried.headers.get("WWW-Authenticate")).toMatch(challenge);
    for (const header of [
      "Basic",
      "basic !!!",
      "BASIC bm9jb2xvbg==",
      "Basic Og==",
      "Basic /w==",
    ]) {
      const malformed = await attempt([], { Authorization: header });
      expect(await refusal(malformed)).toEqual([
        401,
        "invalid_client",
        "basic_credentials_malformed",
      ]);
      expect(malformed.headers.get("WWW-Authenticate")).toMatch(challenge);
    }
    const inForm = await attempt([
      ["client_id", "nobody"],
      ["client_secret", "x"],
    ]);
    expect(inForm.headers.get("WWW-Authenticate")).toBeNull();
    const other = await attempt([], { Authorization: "Bearer x" });
    expect(other.headers.get("WWW-Authenticate")).toBeNull();
  });

  it("comes before any problem with the token or the grant type", async () => {
    const response = await server.token({
      grant_type: "refresh_token",
      client_id: "nobody",
    });
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
  });
});

describe("a client without token_endpoint_auth_method", () => {
  it("may send its secret in the body or with Basic, whose name may be in any case", async () => {
    const client = await server.makeClient();
    expect(await refusal(await attempt(inBody(client)))).toEqual(authenticated);
    const header = basic(client.client_id, client.client_secret);
    for (const Authorization of [header, header.replace("Basic", "bASIC")]) {
      expect(await refusal(await attempt([], { Authorization }))).toEqual(
        authenticated,
      );
    }
  });
});

describe("a client with token_endpoint_auth_method", () => {
  it("must use that method", async () => {
    const clientBasic = await server.makeClient({
      token_endpoint_auth_method: "client_secret_basic",
    });
    const byHeader = {
      Authorization: basic(clientBasic.client_id, clientBasic.client_secret),
    };
    expect(await refusal(await attempt([], byHeader))).toEqual(authenticated);
    expect(await refusal(await attempt(inBody(clientBasic)))).toEqual([
      401,
      "invalid_client",
      "client_authentication_method_wrong",
    ]);
    const clientPost = await server.makeClient({
      token_endpoint_auth_method: "client_secret_post",
    });
    expect(await refusal(await attempt(inBody(clientPost)))).toEqual(
      authenticated,
    );
  });
});

describe("Basic together with the body", () => {
  it("is invalid_request with a client_secret in both, right or wrong", async () => {
    const client = await server.makeClient();
    const Authorization = basic(client.client_id, client.client_secret);
    for (const secret of [client.client_secret, "wrong"]) {
      const response = await attempt([["client_secret", secret]], {
        Authorization,
      });
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "two_authentication_methods",
      ]);
    }
  });

  it("is accepted with the same client_id, and is invalid_request with another one", async () => {
    const client = await server.makeClient();
    const Authorization = basic(client.client_id, client.client_secret);
    const same = await attempt([["client_id", client.client_id]], {
      Authorization,
    });
    expect(await refusal(same)).toEqual(authenticated);
    const other = await attempt([["client_id", "other"]], { Authorization });
    expect(await refusal(other)).toEqual([
      400,
      "invalid_request",
      "two_client_ids",
    ]);
  });
});

describe("a client id", () => {
  it.each([
    "with space",
    "a:b",
    "a+b",
    "100%",
    "a/b?c=d&e#f",
    "~!@$^*()[]{}|;',.<>",
    "x".repeat(255),
  ])(
    "%j is form-encoded in Basic, and works in the body and in a path of the admin API",
    async (client_id) => {
      const client = await server.makeClient({ client_id });
      const Authorization = basic(client_id, client.client_secret);
      expect(await refusal(await attempt([], { Authorization }))).toEqual(
        authenticated,
      );
      expect(await refusal(await attempt(inBody(client)))).toEqual(
        authenticated,
      );
      const path = `/clients/${encodeURIComponent(client_id)}`;
      expect(await server.expectAdmin("GET", path)).toMatchObject({
        client_id,
      });
    },
  );

  it("that no client can have is refused without a read of KV", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    for (const client_id of ["x".repeat(256), "ümlaut", "a\nb", "\u007f"]) {
      const response = await counted.token({
        grant_type: "refresh_token",
        client_id,
        client_secret: "x",
      });
      expect(await refusal(response)).toEqual([
        401,
        "invalid_client",
        "client_id_malformed",
      ]);
    }
    expect(calls).toEqual({ family: 0, kvRead: 0, kvWrite: 0 });
  });
});

describe("a client record", () => {
  it("is read again after a second if authentication failed, so that new clients and secrets work", async () => {
    const [one, two] = [serverWith({}), serverWith({})];
    const client_id = crypto.randomUUID();
    const form = { grant_type: "refresh_token", client_id, client_secret: "x" };
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    expect(await refusal(await one.token(form))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    const { client_secret } = await two.makeClient({ client_id });
    const right = { ...form, client_secret, refresh_token: "none" };
    vi.advanceTimersByTime(1000);
    expect(await refusal(await one.token(right))).toEqual(authenticated);
    const rotated = await two.expectAdmin<TestClient>(
      "POST",
      `/clients/${client_id}/secrets`,
    );
    vi.advanceTimersByTime(1000);
    const newest = { ...right, client_secret: rotated.client_secret };
    expect(await refusal(await one.token(newest))).toEqual(authenticated);
  });

  it("is read at most once per second, however often a wrong secret is tried", async () => {
    const client = await server.makeClient();
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const form = {
      grant_type: "refresh_token",
      client_id: client.client_id,
      client_secret: "x",
    };
    for (let tries = 0; tries < 20; tries++) await counted.token(form);
    expect(calls.kvRead).toBe(1);
    vi.advanceTimersByTime(1000);
    for (let tries = 0; tries < 20; tries++) await counted.token(form);
    expect(calls.kvRead).toBe(2);
  });

  it("is kept for a minute while authentication succeeds", async () => {
    const client = await server.makeClient();
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const form = {
      grant_type: "refresh_token",
      refresh_token: "none",
      ...secretOf(client),
    };
    for (let seconds = 0; seconds < 59; seconds += 10) {
      await counted.token(form);
      vi.advanceTimersByTime(10_000);
    }
    expect(calls.kvRead).toBe(1);
    await counted.token(form);
    expect(calls.kvRead).toBe(2);
  });
});

function secretOf({ client_id, client_secret }: TestClient) {
  return { client_id, client_secret };
}

describe("client secrets", () => {
  it("are in force until they expire, and not a second longer", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    await server.expectAdmin("POST", path, { old_secret_ttl: "PT1M" });
    expect(await refusal(await attempt(inBody(client)))).toEqual(authenticated);
    vi.advanceTimersByTime(60_000);
    expect(await refusal(await attempt(inBody(client)))).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
  });

  it("are stored as hashes only", async () => {
    const client = await server.makeClient();
    const record = await env.KV.get(`client:${client.client_id}`);
    expect(record).toContain(client.client_id);
    expect(record).not.toContain(client.client_secret);
    expect(record).not.toContain(
      client.client_secret.slice("baton_cs_".length),
    );
  });
});
