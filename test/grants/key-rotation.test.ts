import { base64url, decodeProtectedHeader, type JSONWebKeySet } from "jose";
import {
  afterEach,
  beforeEach,
  describe,
  expect,
  inject,
  it,
  vi,
} from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  makeWebClient,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  newEncryptionKey,
  newPem,
  setClock,
  startingAfter,
} from "../support/rotation.ts";
import {
  refusal,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/**
 * A rotation adds one secret whose value says from when on its key makes tokens, and later deletes the old one. The
 * clock of these tests is in seconds from the time at which the new secret is put. It starts after half an hour.
 */

const START = 1800;

beforeEach(() => setClock(0));

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The id of the key that made a refresh token, in base64url: bytes 1 to 4. */
function keyOf({ refresh_token }: Tokens): string {
  const bytes = base64url.decode(refresh_token.slice("baton_rt_".length));
  return base64url.encode(bytes.slice(1, 5));
}

function signerOf({ access_token }: Tokens): string | undefined {
  return decodeProtectedHeader(access_token).kid;
}

async function publishedKids(at: TestServer): Promise<(string | undefined)[]> {
  const response = await at.http("/.well-known/jwks.json");
  return (await response.json<JSONWebKeySet>()).keys.map(({ kid }) => kid);
}

describe("ENCRYPTION_KEY_<LABEL> with a start time", () => {
  const old = newEncryptionKey();
  const added = newEncryptionKey();
  let before: TestServer;
  let during: TestServer;
  let afterwards: TestServer;
  let client: TestClient;

  beforeEach(async () => {
    const ENCRYPTION_KEY_2026_11 = startingAfter(START, added);
    before = serverWith({ ENCRYPTION_KEY: old });
    during = serverWith({ ENCRYPTION_KEY: old, ENCRYPTION_KEY_2026_11 });
    afterwards = serverWith({
      ENCRYPTION_KEY: undefined,
      ENCRYPTION_KEY_2026_11,
    });
    client = await before.makeClient();
  });

  it("is a rotation by one secret: the new key makes from the start on, and nobody is logged out", async () => {
    const first = await before.login(client);
    const second = await during.expectRefresh(client, first.refresh_token);
    expect(keyOf(second)).toBe(keyOf(first));
    setClock(START);
    const third = await during.expectRefresh(client, second.refresh_token);
    expect(keyOf(third)).not.toBe(keyOf(first));
    const fourth = await afterwards.expectRefresh(client, third.refresh_token);
    expect(keyOf(fourth)).toBe(keyOf(third));
  });

  it("makes at the very second of its start, and not in the second before", async () => {
    const { refresh_token, ...first } = await during.login(client);
    setClock(START - 1);
    const early = await during.expectRefresh(client, refresh_token);
    expect(keyOf(early)).toBe(keyOf({ ...first, refresh_token }));
    setClock(START);
    const login = await during.login(client);
    const late = await during.expectRefresh(client, early.refresh_token);
    expect(keyOf(late)).not.toBe(keyOf(early));
    expect(keyOf(login)).toBe(keyOf(late));
  });

  it("once the old secret is deleted, a token of the old key is refused", async () => {
    const { refresh_token } = await during.login(client);
    setClock(START);
    expect(
      await refusal(await afterwards.refresh(client, refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_forged"]);
    await during.expectRefresh(client, refresh_token);
  });

  it("before its start its tokens are accepted, because the clock of another location may be ahead", async () => {
    setClock(START);
    const ahead = serverWith({
      ENCRYPTION_KEY: old,
      ENCRYPTION_KEY_2026_11: startingAfter(START, added),
    });
    const { refresh_token } = await ahead.login(client);
    setClock(START - 30);
    await during.expectRefresh(client, refresh_token);
  });

  it("a retry after the start gets the successor that was made before it, as the same string", async () => {
    const retrying = await before.makeClient({
      refresh_token_retry_window: "PT1M",
    });
    setClock(START - 1);
    const { refresh_token } = await during.login(retrying);
    const successor = await during.expectRefresh(retrying, refresh_token);
    setClock(START + 1);
    const again = await during.expectRefresh(retrying, refresh_token);
    expect(again.refresh_token).toBe(successor.refresh_token);
    const next = await during.expectRefresh(retrying, again.refresh_token);
    expect(keyOf(next)).not.toBe(keyOf(again));
  });

  it("refreshes that race the switch get one successor, whichever key makes it", async () => {
    const retrying = await before.makeClient({
      refresh_token_retry_window: "PT1M",
    });
    setClock(START - 1);
    const { refresh_token } = await during.login(retrying);
    const racing: Promise<Tokens>[] = [];
    for (let n = 0; n < 20; n += 1) {
      racing.push(during.expectRefresh(retrying, refresh_token));
      if (n === 10) setClock(START);
    }
    const successors = new Set(
      (await Promise.all(racing)).map((tokens) => tokens.refresh_token),
    );
    expect(successors.size).toBe(1);
    const [successor = ""] = successors;
    await during.expectRefresh(retrying, successor);
  });

  it("a sign-in that began before the start ends after it", async () => {
    const web = await makeWebClient({}, before);
    setClock(START - 1);
    const request = await requestAtLogin(web, {}, during);
    setClock(START + 1);
    const back = await decide(request, { subject: "alice" }, during);
    const code = back.searchParams.get("code") ?? "";
    expect(decodeProtectedHeader(code).kid).not.toBe(
      decodeProtectedHeader(request).kid,
    );
    await expectTokens(await redeem(web, code, {}, during));
  });
});

describe("PRIVATE_KEY_<LABEL> with a start time", () => {
  const old = newPem();
  const added = newPem();
  let during: TestServer;
  let afterwards: TestServer;
  let client: TestClient;

  beforeEach(async () => {
    const PRIVATE_KEY_2026_11 = startingAfter(START, added);
    during = serverWith({ PRIVATE_KEY: old, PRIVATE_KEY_2026_11 });
    afterwards = serverWith({ PRIVATE_KEY: undefined, PRIVATE_KEY_2026_11 });
    client = await during.makeClient();
  });

  it("is published at once, and signs from its start on: the key that signs is the first of the JWKS", async () => {
    const first = await during.login(client);
    const [signer, pending, ...more] = await publishedKids(during);
    expect(more).toEqual([]);
    expect(signerOf(first)).toBe(signer);
    setClock(START);
    const second = await during.expectRefresh(client, first.refresh_token);
    expect(signerOf(second)).toBe(pending);
    expect(await publishedKids(during)).toEqual([pending, signer]);
    expect(await publishedKids(afterwards)).toEqual([pending]);
  });

  it("an access token of the old key is active until the old secret is deleted", async () => {
    const { access_token } = await during.login(client);
    setClock(START);
    const active = async (at: TestServer) => {
      const answer = await at.about("/introspect", client, access_token);
      return (await answer.json<{ active: boolean }>()).active;
    };
    expect(await active(during)).toBe(true);
    expect(await active(afterwards)).toBe(false);
  });

  it("a request is refused before the user signs in, if its code would be too long with the key that starts meanwhile", async () => {
    const rsa = inject("testKeys").plain[0]![1];
    const before = serverWith({ PRIVATE_KEY: old });
    const rotating = serverWith({
      PRIVATE_KEY: old,
      PRIVATE_KEY_RSA: startingAfter(START, rsa),
    });
    const scopes = Array.from({ length: 30 }, (_, n) =>
      `${n}-`.padEnd(199, "s"),
    );
    await before.makeScopes(...scopes);
    const ask = async (count: number, at: TestServer) => {
      const scope = scopes.slice(0, count).join(" ");
      const response = await authorize(
        await makeWebClient({ scope }, at),
        {},
        at,
      );
      return reasonOf(response);
    };
    // One scope more is 200 bytes in the code, and the signature of an RSA key has 256 more.
    let most = 15;
    while ((await ask(most + 1, before)) === undefined) most += 1;
    const tooLong = "authorization_request_too_long";
    expect(await ask(most + 1, before)).toBe(tooLong);
    expect(await ask(most, rotating)).toBe(tooLong);
    expect(await ask(most - 2, rotating)).toBeUndefined();
  });

  it("before its start its access tokens are active, because the clock of another location may be ahead", async () => {
    setClock(START);
    const { access_token } = await during.login(client);
    setClock(START - 30);
    const answer = await during.about("/introspect", client, access_token);
    expect(await answer.json()).toMatchObject({ active: true });
  });
});

describe("the event key.activated", () => {
  it("is logged once, when a key with a start time first makes", async () => {
    const [old, added] = [newEncryptionKey(), newEncryptionKey()];
    const [oldPem, addedPem] = [newPem(), newPem()];
    const during = serverWith({
      ENCRYPTION_KEY: old,
      ENCRYPTION_KEY_B: startingAfter(START, added),
      PRIVATE_KEY: oldPem,
      PRIVATE_KEY_B: startingAfter(START, addedPem),
    });
    const client = await during.makeClient();
    const lines = listenToLog();
    const activations = () =>
      parsedLog(lines).filter(({ event }) => event === "key.activated");
    let { refresh_token } = await during.login(client);
    const refresh = async () => {
      const tokens = await during.expectRefresh(client, refresh_token);
      ({ refresh_token } = tokens);
      return tokens;
    };
    await refresh();
    expect(activations()).toEqual([]);
    setClock(START);
    await publishedKids(during);
    await during.health();
    expect(activations()).toEqual([]);
    const tokens = await refresh();
    await refresh();
    const from = Math.floor(Date.now() / 1000);
    const activated = { event: "key.activated", time: from, from };
    expect(activations()).toEqual([
      { ...activated, secret: "ENCRYPTION_KEY_B", kid: keyOf(tokens) },
      { ...activated, secret: "PRIVATE_KEY_B", kid: signerOf(tokens) },
    ]);
    expect(lines.join("\n")).not.toContain(added);
  });
});
