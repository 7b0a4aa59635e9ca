import { beforeAll, describe, expect, it } from "vitest";
import { proofAlgorithms } from "../../src/dpop/algorithms.ts";
import {
  type ProtectedResource,
  protectedResource,
  type VerifiedToken,
} from "../../src/resource/index.ts";
import {
  FakeIssuer,
  ISSUER,
  METADATA_URL,
  requestWith,
  RESOURCE,
} from "./issuer.ts";

/** Tests what a protected resource answers (RFC 6750 section 3, RFC 9728). */

let issuer: FakeIssuer;
let notes: ProtectedResource;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  notes = resource();
});

function resource(more: object = {}): ProtectedResource {
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    scope: "notes:read",
    fetch: issuer.fetch,
    ...more,
  });
}

/** Reads a refusal. Its challenge is that for bearer tokens; the one for DPoP stands behind it (`dpop.test.ts`). */
async function expectRefusal(
  answer: VerifiedToken | Response | undefined,
): Promise<{ status: number; challenge: string | null; body: unknown }> {
  if (!(answer instanceof Response)) throw new Error("This is not a refusal.");
  expect(answer.headers.get("Cache-Control")).toBe("no-store");
  expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("*");
  const challenges = answer.headers.get("WWW-Authenticate");
  const [bearer, dpop] = challenges?.split(", DPoP ") ?? [];
  if (challenges !== null) expect(dpop).toMatch(/^algs="ES256 /);
  return {
    status: answer.status,
    challenge: bearer ?? null,
    body: await answer.json(),
  };
}

describe("a request", () => {
  it("without a token gets 401 without an error, and where the metadata is", async () => {
    for (const request of [
      requestWith(undefined),
      new Request(RESOURCE, { headers: { Authorization: "Basic YTpi" } }),
      new Request(`${RESOURCE}?access_token=${await issuer.sign()}`),
    ])
      expect(await expectRefusal(await notes.authorize(request))).toEqual({
        status: 401,
        challenge: `Bearer scope="notes:read", resource_metadata="${METADATA_URL}"`,
        body: {
          error_description:
            "This resource needs an access token in the header Authorization.",
        },
      });
  });

  it("names in the 401 all scopes that it needs, and none if it needs none", async () => {
    const challengeOf = async (one: ProtectedResource, scope?: string) =>
      (await expectRefusal(await one.authorize(requestWith(undefined), scope)))
        .challenge;
    expect(await challengeOf(notes, "notes:write notes:read")).toBe(
      `Bearer scope="notes:read notes:write", resource_metadata="${METADATA_URL}"`,
    );
    expect(await challengeOf(resource({ scope: "" }))).toBe(
      `Bearer resource_metadata="${METADATA_URL}"`,
    );
  });

  it.each([
    [
      "is not one",
      "undefined",
      "The token is malformed. Send one access token in the header Authorization, as it was issued.",
    ],
    [
      "is empty",
      "",
      "The token is malformed. Send one access token in the header Authorization, as it was issued.",
    ],
    ["has expired", { exp: 1 }, "The token has expired. Get a new one."],
    [
      "is for another API",
      { aud: ISSUER },
      "The token is for another resource. Get one for that which the metadata names.",
    ],
  ])(
    "whose token %s gets 401 invalid_token",
    async (_, changes, error_description) => {
      const token =
        typeof changes === "string" ? changes : await issuer.sign(changes);
      expect(
        await expectRefusal(await notes.authorize(requestWith(token))),
      ).toEqual({
        status: 401,
        challenge: `Bearer error="invalid_token", error_description="${error_description}", scope="notes:read", resource_metadata="${METADATA_URL}"`,
        body: { error: "invalid_token", error_description },
      });
    },
  );

  it("with two tokens gets 401", async () => {
    const request = requestWith(await issuer.sign());
    request.headers.append("Authorization", `Bearer ${await issuer.sign()}`);
    const { status } = await expectRefusal(await notes.authorize(request));
    expect(status).toBe(401);
  });

  it.each(["Bearer", "bearer", "BEARER", "Bearer "])(
    "may spell the scheme %s",
    async (scheme) => {
      const token = await issuer.sign();
      const headers = { Authorization: `${scheme} ${token}` };
      expect(
        await notes.authorize(new Request(RESOURCE, { headers })),
      ).toMatchObject({ token });
    },
  );

  it("without a scope gets 403, which names what the token has and what is missing", async () => {
    const token = await issuer.sign({ scope: "offline_access notes:read" });
    const request = requestWith(token);
    const expected = {
      status: 403,
      challenge: `Bearer error="insufficient_scope", error_description="This request needs the scope notes:read notes:write.", scope="offline_access notes:read notes:write", resource_metadata="${METADATA_URL}"`,
      body: {
        error: "insufficient_scope",
        error_description:
          "This request needs the scope notes:read notes:write.",
      },
    };
    const answer = await notes.authorize(request, "notes:write");
    expect(await expectRefusal(answer)).toEqual(expected);
    // The first answer of a request is not the answer for ever.
    expect(await notes.authorize(request)).toMatchObject({ token });
    expect(
      await expectRefusal(await notes.authorize(request, "notes:write")),
    ).toEqual(expected);
  });

  it("without the scope of every request gets 403", async () => {
    const token = await issuer.sign({ scope: "notes:write" });
    const { status, challenge } = await expectRefusal(
      await notes.authorize(requestWith(token)),
    );
    expect([status, challenge]).toEqual([
      403,
      expect.stringContaining('scope="notes:write notes:read"'),
    ]);
  });

  it.each([
    ["a quote", 'notes:write" realm="evil', "notes:read"],
    ["a backslash", "notes:write\\", "notes:read"],
    [
      "a comma and a quote",
      'notes:share notes:write",',
      "notes:read notes:share",
    ],
    ["a line break", "notes:write\r\nSet-Cookie:a=b", "notes:read"],
    ["a NUL", "notes:write\u0000", "notes:read"],
    ["a tab", "notes:write\tadmin notes:share", "notes:read notes:share"],
    ["letters beyond ASCII", "notes:schön notes:☃", "notes:read"],
  ])(
    "gets a challenge without a needed scope that has %s, and is refused nevertheless",
    async (_, scope, named) => {
      const handler = notes.protect(
        () => new Response("notes"),
        () => scope,
      );
      const token = await issuer.sign();
      const missing = named.replace(/^notes:read ?/, "");
      const description = missing
        ? `This request needs the scope ${missing}.`
        : "This request needs a scope that no token has.";
      const rest = `scope="${named}", resource_metadata="${METADATA_URL}"`;
      expect(await expectRefusal(await handler(requestWith(token)))).toEqual({
        status: 403,
        challenge: `Bearer error="insufficient_scope", error_description="${description}", ${rest}`,
        body: { error: "insufficient_scope", error_description: description },
      });
      const unknown = await notes.authorize(requestWith(undefined), scope);
      expect(await expectRefusal(unknown)).toMatchObject({
        status: 401,
        challenge: `Bearer ${rest}`,
      });
    },
  );

  it("gets the URL of the metadata as a quoted string", async () => {
    const one = resource({
      resource: String.raw`https://api.example.com/?a="\ü`,
    });
    const answer = await one.authorize(requestWith(undefined));
    expect((await expectRefusal(answer)).challenge).toBe(
      String.raw`Bearer scope="notes:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource?a=%22\\%C3%BC"`,
    );
  });

  it("gets 503 and no challenge while the keys cannot be fetched, so that its client does not sign in again", async () => {
    const fetch = async () => new Response("down", { status: 500 });
    const answer = await resource({ fetch }).authorize(
      requestWith(await issuer.sign()),
    );
    if (!(answer instanceof Response))
      throw new Error("The token was accepted.");
    expect(answer.headers.get("Retry-After")).toBe("5");
    expect(await expectRefusal(answer)).toEqual({
      status: 503,
      challenge: null,
      body: {
        error: "temporarily_unavailable",
        error_description: "The keys of the issuer cannot be fetched.",
      },
    });
  });
});

describe("the metadata document", () => {
  it.each([
    [
      "https://api.example.com",
      "https://api.example.com/.well-known/oauth-protected-resource",
    ],
    [
      "https://api.example.com/",
      "https://api.example.com/.well-known/oauth-protected-resource",
    ],
    [RESOURCE, METADATA_URL],
    [`${RESOURCE}/`, `${METADATA_URL}/`],
    [
      "https://api.example.com/mcp?tenant=1",
      "https://api.example.com/.well-known/oauth-protected-resource/mcp?tenant=1",
    ],
  ])("of %s is at %s", async (uri, url) => {
    const one = resource({ resource: uri });
    expect(one.metadata_url).toBe(url);
    const response = one.metadata(new Request(url));
    expect(await response?.json()).toMatchObject({ resource: uri });
    expect(
      one.metadata(new Request("https://api.example.com/other")),
    ).toBeUndefined();
  });

  it("names the issuer, the scopes and how a token is sent", async () => {
    const one = resource({
      scopes_supported: ["notes:read", "notes:write"],
      resource_name: "Notes",
      metadata: { resource_documentation: "https://api.example.com/docs" },
    });
    const response = one.metadata(new Request(METADATA_URL));
    expect(response?.headers.get("Content-Type")).toBe("application/json");
    expect(await response?.json()).toEqual({
      resource: RESOURCE,
      authorization_servers: [ISSUER],
      scopes_supported: ["notes:read", "notes:write"],
      bearer_methods_supported: ["header"],
      resource_name: "Notes",
      resource_documentation: "https://api.example.com/docs",
      dpop_signing_alg_values_supported: proofAlgorithms,
    });
  });

  it("has the scopes of every request if no others are named, and no empty member", async () => {
    const read = async (one: ProtectedResource) =>
      one.metadata(new Request(METADATA_URL))?.json();
    expect(await read(notes)).toHaveProperty("scopes_supported", [
      "notes:read",
    ]);
    expect(
      Object.keys((await read(resource({ scope: "" }))) as object),
    ).toEqual([
      "resource",
      "authorization_servers",
      "bearer_methods_supported",
      "dpop_signing_alg_values_supported",
    ]);
  });

  it("may be read by pages of any origin, with the headers of MCP clients", async () => {
    const headers = {
      Origin: "https://agent.example.com",
      "Access-Control-Request-Method": "GET",
      "Access-Control-Request-Headers": "mcp-protocol-version",
    };
    const preflight = notes.metadata(
      new Request(METADATA_URL, { method: "OPTIONS", headers }),
    );
    expect(preflight?.status).toBe(204);
    expect(Object.fromEntries(preflight?.headers ?? [])).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "mcp-protocol-version",
      "access-control-allow-methods": "GET",
    });
    const { headers: answered } =
      notes.metadata(new Request(METADATA_URL)) ?? {};
    expect(answered?.get("Access-Control-Allow-Origin")).toBe("*");
  });

  it("is not for other methods", async () => {
    const ask = (method: string) =>
      notes.metadata(new Request(METADATA_URL, { method }));
    const refused = ask("POST");
    expect([refused?.status, refused?.headers.get("Allow")]).toEqual([
      405,
      "GET, HEAD",
    ]);
    const head = ask("HEAD");
    expect([head?.status, await head?.text()]).toEqual([200, ""]);
  });
});
