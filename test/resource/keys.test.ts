import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type ProtectedResource,
  protectedResource,
} from "../../src/resource/index.ts";
import { FakeIssuer, ISSUER, makeKey, RESOURCE } from "./issuer.ts";

/** Tests how a protected resource finds and keeps the keys of its issuer. */

const jwksUri = `${ISSUER}/.well-known/jwks.json`;
const metadataUri = `${ISSUER}/.well-known/oauth-authorization-server`;
const unavailable = {
  unavailable: "The keys of the issuer cannot be fetched.",
};
const invalid = {
  invalid:
    "The token is not an access token of the issuer that the metadata names. Get one there.",
};
const good = expect.objectContaining({ verified: expect.anything() }) as object;

let issuer: FakeIssuer;
let notes: ProtectedResource;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2090, 10, 26, 12) });
  issuer = await FakeIssuer.start();
  notes = resource();
});

afterEach(() => vi.useRealTimers());

function resource(more: object = {}): ProtectedResource {
  const { fetch } = issuer;
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    fetch,
    ...more,
  });
}

function pass(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
}

describe("the keys", () => {
  it("are found by the metadata, and kept for five minutes", async () => {
    const token = await issuer.sign();
    for (let call = 0; call < 3; call++)
      expect(await notes.check(token)).toEqual(good);
    expect(issuer.fetched).toEqual([metadataUri, jwksUri]);
    pass(299);
    await notes.check(token);
    expect(issuer.fetched).toHaveLength(2);
    pass(1);
    expect(await notes.check(token)).toEqual(good);
    expect(issuer.fetched).toEqual([metadataUri, jwksUri, jwksUri]);
  });

  it("are fetched from a given address without the metadata", async () => {
    const jwks_uri = "https://keys.example.com/jwks.json";
    expect(await resource({ jwks_uri }).check(await issuer.sign())).toEqual(
      good,
    );
    expect(issuer.fetched).toEqual([jwks_uri]);
  });

  it("are fetched again for a new key, so that a token of it is good at once", async () => {
    expect(await notes.check(await issuer.sign())).toEqual(good);
    pass(10);
    issuer.keys.push(await makeKey());
    expect(await notes.check(await issuer.sign())).toEqual(good);
    expect(issuer.fetched).toEqual([metadataUri, jwksUri, jwksUri]);
  });

  it("are fetched at most once per five seconds, whatever key ids are presented", async () => {
    const stranger = await makeKey();
    const forge = () => issuer.sign({}, { kid: crypto.randomUUID() }, stranger);
    expect(await notes.check(await issuer.sign())).toEqual(good);
    for (let call = 0; call < 5; call++)
      expect(await notes.check(await forge())).toEqual(invalid);
    expect(issuer.fetched).toEqual([metadataUri, jwksUri]);
    pass(5);
    for (let call = 0; call < 5; call++) await notes.check(await forge());
    expect(issuer.fetched).toEqual([metadataUri, jwksUri, jwksUri]);
    expect(await notes.check(await issuer.sign())).toEqual(good);
  });

  it("are fetched once for requests that arrive together, and none of them is refused", async () => {
    const tokens = await Promise.all([
      issuer.sign(),
      issuer.sign(),
      issuer.sign(),
    ]);
    const checked = await Promise.all(
      tokens.map((token) => notes.check(token)),
    );
    expect(checked).toEqual([good, good, good]);
    expect(issuer.fetched).toEqual([metadataUri, jwksUri]);
  });

  it("are no longer good when the issuer has withdrawn them", async () => {
    const token = await issuer.sign();
    expect(await notes.check(token)).toEqual(good);
    issuer.keys = [await makeKey()];
    pass(300);
    expect(await notes.check(token)).toEqual(invalid);
  });

  it("are good for an hour while the issuer does not answer, which is asked every five seconds", async () => {
    const token = await issuer.sign({ exp: 4_102_444_800 });
    expect(await notes.check(token)).toEqual(good);
    issuer.answer = () => new Response("down", { status: 503 });
    pass(3599);
    expect(await notes.check(token)).toEqual(good);
    pass(1);
    expect(await notes.check(token)).toEqual(unavailable);
    const before = issuer.fetched.length;
    expect(await notes.check(token)).toEqual(unavailable);
    expect(issuer.fetched).toHaveLength(before);
    issuer.answer = () => issuer.jwks();
    pass(5);
    expect(await notes.check(token)).toEqual(good);
  });

  it.each<[string, () => Response | Promise<Response>]>([
    ["another status", () => new Response("{}", { status: 404 })],
    [
      "a redirect",
      () => Response.redirect("https://evil.example.com/jwks.json", 302),
    ],
    ["what is no JSON", () => new Response("<html>")],
    ["JSON that is no object", () => Response.json(null)],
    ["JSON that is no JWK set", () => Response.json({ keys: "none" })],
    [
      "too many keys",
      () =>
        Response.json({
          keys: Array.from({ length: 101 }, () => ({ kty: "EC" })),
        }),
    ],
    ["too much", () => Response.json({ keys: [], more: "a".repeat(65_536) })],
    ["nothing", () => Promise.reject(new Error("connection refused"))],
  ])("are not taken from an answer with %s", async (_, answer) => {
    issuer.answer = answer;
    expect(await notes.check(await issuer.sign())).toEqual(unavailable);
  });

  it("are asked for without following redirects, and not for ever", async () => {
    const inits: RequestInit[] = [];
    const fetch = (url: string, init: RequestInit) => {
      inits.push(init);
      return issuer.fetch(url, init);
    };
    expect(await resource({ fetch }).check(await issuer.sign())).toEqual(good);
    for (const { redirect, signal } of inits)
      expect([redirect, signal instanceof AbortSignal]).toEqual([
        "manual",
        true,
      ]);
  });

  it.each([
    [
      "of another issuer",
      { issuer: "https://evil.example.com", jwks_uri: jwksUri },
    ],
    ["without keys", { issuer: ISSUER }],
    [
      "with keys in the clear",
      { issuer: ISSUER, jwks_uri: "http://auth.example.com/jwks" },
    ],
  ])("are not taken by metadata %s", async (_, metadata) => {
    issuer.metadata = metadata;
    expect(await notes.check(await issuer.sign())).toEqual(unavailable);
    expect(issuer.fetched).toEqual([metadataUri]);
  });
});
