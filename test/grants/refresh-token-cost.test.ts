import { afterEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { serverWith } from "../support/server.ts";

/** What a refresh costs, counted and not timed: this holds on any machine. */

const methods = [
  "sign",
  "verify",
  "digest",
  "importKey",
  "deriveKey",
  "deriveBits",
  "encrypt",
  "decrypt",
  "wrapKey",
  "unwrapKey",
] as const;

afterEach(() => {
  vi.restoreAllMocks();
});

/** How often each method of WebCrypto is called from here on; those that are not are left out. */
function countCrypto() {
  const spies = methods.map(
    (name) => [name, vi.spyOn(crypto.subtle, name)] as const,
  );
  return () =>
    Object.fromEntries(
      spies
        .map(([name, { mock }]) => [name, mock.calls.length] as const)
        .filter(([, calls]) => calls > 0),
    );
}

/** A server that has its keys and knows a client, and whose bindings count. */
async function warmServer() {
  const { calls, bindings } = countingBindings();
  const server = serverWith(bindings);
  const client = await server.makeClient({
    token_endpoint_auth_method: "client_secret_post",
  });
  const { refresh_token } = await server.login(client);
  const next = await server.expectRefresh(client, refresh_token);
  return {
    server,
    client,
    token: next.refresh_token,
    before: { ...calls },
    calls,
  };
}

describe("a refresh, once the isolate is warm", () => {
  it("is one call of the family's object and no KV", async () => {
    const { server, client, token, before, calls } = await warmServer();
    await server.expectRefresh(client, token);
    expect(calls).toEqual({ ...before, family: before.family + 1 });
  });

  it("is one MAC checked and one made, one signature, and two digests", async () => {
    const { server, client, token } = await warmServer();
    const crypto = countCrypto();
    await server.expectRefresh(client, token);
    // sign: the next token's MAC, and the access token. digest: the client's secret, and the family's.
    expect(crypto()).toEqual({ verify: 1, sign: 2, digest: 2 });
  });
});

describe("a forged refresh token, once the client is authenticated", () => {
  it("costs one MAC check, and is refused without object, KV, signature or key", async () => {
    const { server, client, token, before, calls } = await warmServer();
    const crypto = countCrypto();
    const forged = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
    expect((await server.refresh(client, forged)).status).toBe(400);
    // digest: the client's secret.
    expect(crypto()).toEqual({ verify: 1, digest: 1 });
    expect(calls).toEqual(before);
  });

  it("of another shape costs none", async () => {
    const { server, client, before, calls } = await warmServer();
    const crypto = countCrypto();
    expect((await server.refresh(client, "x".repeat(149))).status).toBe(400);
    expect(crypto()).toEqual({ digest: 1 });
    expect(calls).toEqual(before);
  });
});
