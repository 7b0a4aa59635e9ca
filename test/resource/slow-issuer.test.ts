import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type ProtectedResource,
  protectedResource,
} from "../../src/resource/index.ts";
import { FakeIssuer, ISSUER, makeKey, RESOURCE } from "./issuer.ts";

/** Tests that a protected resource with good keys does not become slow because its issuer hangs. */

const unavailable = {
  unavailable: "The keys of the issuer cannot be fetched.",
};
const invalid = {
  invalid:
    "The token is not an access token of the issuer that the metadata names. Get one there.",
};
const good = expect.objectContaining({ verified: expect.anything() }) as object;

/** Timers stand still, so that a check that waits for one does not end by itself. */
beforeEach(async () => {
  vi.useFakeTimers({
    toFake: ["Date", "setTimeout", "clearTimeout"],
    now: Date.UTC(2090, 10, 26, 12),
  });
  issuer = await FakeIssuer.start();
  token = await issuer.sign();
});

afterEach(() => vi.useRealTimers());

let issuer: FakeIssuer;
let token: string;

function resource(more: object = {}): ProtectedResource {
  const { fetch } = issuer;
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    fetch,
    ...more,
  });
}

/** A resource that has fetched the keys as long ago as that. */
async function keptFor(
  seconds: number,
  more: object = {},
): Promise<ProtectedResource> {
  const notes = resource(more);
  expect(await notes.check(token)).toEqual(good);
  pass(seconds);
  issuer.fetched.length = 0;
  return notes;
}

function pass(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
}

/** From now on, the issuer answers when it is told to. */
function hang() {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  issuer.answer = () => {
    asked.resolve();
    return answer.promise;
  };
  return { asked: asked.promise, answer: answer.resolve };
}

describe("keys of more than five minutes, while the issuer hangs", () => {
  it("answer at once with wait_until, and are fetched behind the answer", async () => {
    const work: Promise<unknown>[] = [];
    const wait_until = (promise: Promise<unknown>) => void work.push(promise);
    const notes = await keptFor(300, { wait_until });
    const { answer } = hang();
    work.length = 0;
    for (let call = 0; call < 3; call++)
      expect(await notes.check(token)).toEqual(good);
    expect(issuer.fetched).toHaveLength(1);
    expect(work).toHaveLength(1);
    issuer.keys = [await makeKey()];
    answer(issuer.jwks());
    await work[0];
    expect(await notes.check(token)).toEqual(invalid);
    expect(await notes.check(await issuer.sign())).toEqual(good);
    expect(issuer.fetched).toHaveLength(1);
  });

  it("make one request wait half a second without wait_until, and no other one", async () => {
    const notes = await keptFor(300);
    const { asked } = hang();
    const first = notes.check(token);
    let answered = false;
    void first.finally(() => (answered = true));
    await asked;
    for (let call = 0; call < 3; call++)
      expect(await notes.check(token)).toEqual(good);
    await vi.advanceTimersByTimeAsync(499);
    expect(answered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await first).toEqual(good);
    expect(issuer.fetched).toHaveLength(1);
  });

  it("are fetched again after a minute, and not before", async () => {
    const notes = await keptFor(300, { wait_until: () => {} });
    hang();
    for (const [seconds, fetches] of [
      [0, 1],
      [59, 1],
      [1, 2],
      [59, 2],
    ] as const) {
      pass(seconds);
      expect(await notes.check(token)).toEqual(good);
      expect(issuer.fetched).toHaveLength(fetches);
    }
  });

  it("are no longer good after an hour", async () => {
    const notes = await keptFor(3600, { wait_until: () => {} });
    issuer.answer = () => new Response("down", { status: 503 });
    expect(await notes.check(token)).toEqual(unavailable);
  });

  it("answer although wait_until throws", async () => {
    const wait_until = () => {
      throw new TypeError("Illegal invocation");
    };
    const notes = await keptFor(300, { wait_until });
    expect(await notes.check(token)).toEqual(good);
    expect(issuer.fetched).toHaveLength(1);
  });
});

describe("keys of more than five minutes, while the issuer is down", () => {
  it("are fetched once per minute", async () => {
    const notes = await keptFor(300);
    issuer.answer = () => new Response("down", { status: 503 });
    for (const [seconds, fetches] of [
      [0, 1],
      // Metadata and keys: the address may have changed.
      [59, 1],
      [1, 3],
    ] as const) {
      pass(seconds);
      expect(await notes.check(token)).toEqual(good);
      expect(issuer.fetched).toHaveLength(fetches);
    }
  });
});

describe("a token of a key that is not known", () => {
  it.each([10, 300])(
    "waits for the issuer with keys of %i seconds, and tokens of known keys do not",
    async (seconds) => {
      const work: Promise<unknown>[] = [];
      const wait_until = (promise: Promise<unknown>) => void work.push(promise);
      const notes = await keptFor(seconds, { wait_until });
      const { asked, answer } = hang();
      issuer.keys.push(await makeKey());
      const waiting = notes.check(await issuer.sign());
      await asked;
      for (let call = 0; call < 3; call++)
        expect(await notes.check(token)).toEqual(good);
      answer(issuer.jwks());
      await Promise.all(work);
      await vi.advanceTimersByTimeAsync(50);
      expect(await waiting).toEqual(good);
    },
  );

  it("does not wait for a fetch that the runtime may have dropped", async () => {
    const notes = await keptFor(300);
    const { asked } = hang();
    const first = notes.check(token);
    await asked;
    await vi.advanceTimersByTimeAsync(500);
    expect(await first).toEqual(good);
    issuer.answer = () => issuer.jwks();
    issuer.keys.push(await makeKey());
    expect(await notes.check(await issuer.sign())).toEqual(good);
  });

  it("is not called bad while the issuer is down, because the issuer may have the key", async () => {
    const notes = await keptFor(10);
    issuer.answer = () => new Response("down", { status: 503 });
    issuer.keys.push(await makeKey());
    const newer = await issuer.sign();
    // The second one comes in the pause of five seconds.
    for (let call = 0; call < 2; call++)
      expect(await notes.check(newer)).toEqual(unavailable);
    expect(issuer.fetched).toHaveLength(1);
    expect(await notes.check(token)).toEqual(good);
    issuer.answer = () => issuer.jwks();
    pass(5);
    expect(await notes.check(newer)).toEqual(good);
  });
});

describe("a fetch whose own request was cancelled", () => {
  it("is taken over by a request that waits for it", async () => {
    const notes = resource();
    const { asked } = hang();
    void notes.check(token);
    await asked;
    issuer.answer = () => issuer.jwks();
    const waiting = notes.check(token);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await waiting).toEqual(good);
  });
});

describe("a question over RPC", () => {
  it("that has no answer after five seconds leaves the token undecided", async () => {
    const introspect = () => new Promise<object>(() => {});
    const checked = resource({ tokens: { introspect } }).check(token);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await checked).toEqual({
      unavailable: "The issuer cannot be asked.",
    });
  });
});
