import { exports } from "cloudflare:workers";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { comparableResource } from "../../src/oauth/resource.ts";
import {
  protectedResource,
  type ResourceOptions,
} from "../../src/resource/index.ts";
import { comparable } from "../../src/resource/uri.ts";
import {
  accessTokenHash,
  makeProofKey,
  proof,
  type ProofKey,
} from "../support/dpop.ts";
import { server, type TestClient, type Tokens } from "../support/server.ts";
import { ISSUER, RESOURCE } from "./issuer.ts";

/** Tests a protected resource with the tokens of Baton itself: verified by the signature, and asked about over RPC. */

let client: TestClient;
let login: Tokens;

beforeAll(async () => {
  await server.makeScopes("notes:read");
  client = await server.makeClient({
    scope: "notes:read",
    resources: [RESOURCE, "https://other.example.com"],
    grant_types: ["refresh_token", "client_credentials"],
  });
  login = await server.login(client, { resource: [RESOURCE] });
});

/** By the signature, with a service binding to fetch the keys. */
const bySignature: Partial<ResourceOptions> = {
  fetch: (url, init) => server.fetch(new Request(url, init)),
};
/** By a question over RPC. */
const byQuestion: Partial<ResourceOptions> = {
  tokens: { introspect: (token) => exports.Tokens.introspect(token) },
};

function resource(more: Partial<ResourceOptions>) {
  return protectedResource({ resource: RESOURCE, issuer: ISSUER, ...more });
}

describe.each([
  ["verified by its signature", bySignature],
  ["asked about over RPC", byQuestion],
])("an access token of Baton, %s", (way, options) => {
  it("is accepted with what is in it", async () => {
    expect(await resource(options).check(login.access_token)).toMatchObject({
      verified: {
        token: login.access_token,
        sub: "alice",
        client_id: client.client_id,
        scopes: ["notes:read"],
        claims: { iss: ISSUER, aud: RESOURCE },
      },
    });
  });

  it("is refused for another audience, and a refresh token is refused", async () => {
    const other = await server.login(client, {
      resource: ["https://other.example.com"],
    });
    expect(await resource(options).check(other.access_token)).toEqual({
      invalid:
        "The token is for another resource. Get one for that which the metadata names.",
    });
    expect(await resource(options).check(login.refresh_token)).toHaveProperty(
      "invalid",
    );
  });

  it("is refused if it is of a client, unless that is allowed", async () => {
    const { client_id, client_secret } = client;
    const grant_type = "client_credentials";
    const response = await server.token({
      grant_type,
      client_id,
      client_secret,
      resource: RESOURCE,
    });
    const { access_token } = await response.json<Tokens>();
    expect(await resource(options).check(access_token)).toEqual({
      invalid:
        "The token is of a client itself. This resource needs one of a user.",
    });
    const open = resource({ ...options, allow_clients: true });
    expect(await open.check(access_token)).toHaveProperty(
      "verified.sub",
      client_id,
    );
  });

  it("is good with its proof alone if it is bound to a key", async () => {
    const key = await makeProofKey();
    const { access_token } = await server.login(client, {
      resource: [RESOURCE],
      dpop_jkt: key.jkt,
    });
    const check = async (by: ProofKey) => {
      const ath = await accessTokenHash(access_token);
      const claims = { htm: "GET", htu: RESOURCE, ath };
      const dpop = {
        proof: await proof(by, claims),
        method: "GET",
        url: RESOURCE,
      };
      return resource(options).check(access_token, { dpop });
    };
    expect(await check(key)).toMatchObject({
      verified: { sub: "alice", claims: { cnf: { jkt: key.jkt } } },
    });
    expect(await check(await makeProofKey())).toEqual({
      invalid:
        "The token is bound to another key than that of the proof. Sign the proof with the key of the token.",
    });
    expect(await resource(options).check(access_token)).toEqual({
      invalid:
        "The token is bound to a key, and is not a bearer token. Send it with the scheme DPoP and a proof of the key.",
    });
  });

  it("is refused after its login has ended only if Baton is asked", async () => {
    const ended = await server.login(client, { resource: [RESOURCE] });
    await server.about("/revoke", client, ended.refresh_token);
    expect(await resource(options).check(ended.access_token)).toEqual(
      way === "asked about over RPC"
        ? {
            invalid:
              "The token has expired, or its login has ended. Get a new one, or sign the user in again.",
          }
        : expect.objectContaining({ verified: expect.anything() }),
    );
  });
});

describe("a question over RPC", () => {
  it.each<[string, () => Promise<object>]>([
    ["fails", () => Promise.reject(new Error("Network connection lost."))],
    ["is refused", () => Promise.resolve({ error: "temporarily_unavailable" })],
    ["has no answer", () => Promise.resolve(null as unknown as object)],
  ])("that %s leaves the token undecided", async (_, introspect) => {
    const asking = resource({ tokens: { introspect } });
    expect(await asking.check(login.access_token)).toEqual({
      unavailable: "The issuer cannot be asked.",
    });
  });

  it.each([
    ["a refresh token", { token_type: undefined }],
    ["a token of another issuer", { iss: "https://evil.example.com" }],
    ["a token without a subject", { sub: undefined }],
  ])("refuses %s that is active", async (_, changes) => {
    const tokens = {
      introspect: async (token: string) => ({
        ...(await exports.Tokens.introspect(token)),
        ...changes,
      }),
    };
    expect(await resource({ tokens }).check(login.access_token)).toEqual({
      invalid:
        "The token is not an access token of the issuer that the metadata names. Get one there.",
    });
  });

  it("is not asked about what cannot be a token", async () => {
    let asked = 0;
    const introspect = async () => ({ active: ++asked > 0 });
    const asking = resource({ tokens: { introspect } });
    expect(await asking.check("no-token")).toEqual({
      invalid:
        "The token is malformed. Send one access token in the header Authorization, as it was issued.",
    });
    expect(asked).toBe(0);
  });
});

describe("the audience", () => {
  it("is compared as Baton compares resources", () => {
    const part = fc.constantFrom(
      "https",
      "HTTP",
      ":",
      "//",
      "/",
      "a@",
      "API.example",
      ":443",
      ":80",
      ":",
      "?",
      "#",
      "%2f",
      "[::1]",
      "urn",
      "",
    );
    const spelling = fc
      .array(part, { maxLength: 8 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(spelling, (uri) => {
        expect(comparable(uri)).toBe(comparableResource(uri));
      }),
    );
  });
});
