import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  it,
} from "vitest";
import { proofOf, thumbprintOf } from "./proofs.ts";
import {
  keptRecords,
  keptVersions,
  keptWorker,
  neighbours,
} from "./releases.ts";
import { makeKeyClient, makeKeyRecords, signInBound } from "./scenario-keys.ts";
import { contentOf } from "./scenario-openid.ts";
import { KEY_CLIENT, Session, type Tokens } from "./session.ts";
import { TwoWorkers } from "./two-workers.ts";

/** Logins that are bound to a key, as each version has stored them, and while a deploy or a rollback is on its way. */

const needsProof = { status: 400, body: { error: "invalid_dpop_proof" } };
const invalidGrant = { status: 400, body: { error: "invalid_grant" } };

const today = inject("today");

let jkt: string;
beforeAll(async () => {
  jkt = await thumbprintOf("app");
});

function expectBound(tokens: Tokens) {
  expect(tokens).toMatchObject({ token_type: "DPoP" });
  expect(contentOf(tokens.access_token)).toMatchObject({ cnf: { jkt } });
}

const withKeys = keptVersions.filter(
  (version) => "bound_refresh" in keptRecords(version).in_flight,
);

describe.each(withKeys)("what version %s has stored", (version) => {
  const { made_at, in_flight, ...stored } = keptRecords(version);
  const inFlight = (name: string) => in_flight[name]!.join("");
  const server = new TwoWorkers();
  const baton = new Session(server);
  const proof = () => proofOf("app", server.now());

  beforeAll(async () => {
    // A second later, because a code is good for a minute.
    const shift = made_at + 1000 - Date.now();
    await server.start({ front: today, objects: today }, shift);
    await server.load(stored);
  });
  afterAll(() => server.stop());

  it("a code and a request that are bound to a key need its proof", async () => {
    const request = inFlight("bound_request");
    for (const code of [
      inFlight("bound_code"),
      await baton.decide(request, "eve"),
    ]) {
      expect(await baton.redeem("app", code)).toMatchObject({ status: 400 });
      expectBound(await baton.expectRedeem("app", code, await proof()));
    }
  });

  it.each(["bound_refresh", "bound_later_refresh"])(
    "a login that is bound to a key needs its proof, and goes on with it (%s)",
    async (name) => {
      const token = inFlight(name);
      expect(await baton.refresh("app", token)).toMatchObject(needsProof);
      const first = await baton.expectRefresh("app", token, await proof());
      expectBound(first);
      const next = first.refresh_token;
      expectBound(await baton.expectRefresh("app", next, await proof()));
    },
  );

  it("a used token of a bound login leads its holder to the current one", async () => {
    const used = inFlight("bound_used");
    const current = await baton.expectRefresh("app", used, await proof());
    const token = current.refresh_token;
    expectBound(await baton.expectRefresh("app", token, await proof()));
  });

  it("a client that authenticates with a key goes on", async () => {
    const token = inFlight("key_client_refresh");
    const next = await baton.expectRefresh(KEY_CLIENT, token);
    await baton.expectRefresh(KEY_CLIENT, next.refresh_token);
  });
});

describe.each(neighbours)("version %s and the code of today", (version) => {
  const old = keptWorker(version);
  const oldKnows = withKeys.includes(version);
  let server: TwoWorkers;
  let baton: Session;
  beforeEach(async () => {
    server = new TwoWorkers();
    baton = new Session(server);
  });
  afterEach(() => server.stop());

  it("today's Worker gives no token of a bound login without its proof, also while the objects are of that version", async () => {
    await server.start({ front: today, objects: today });
    await baton.makeClient("app", { scope: "" });
    const kept = await signInBound(baton, "ann");

    await server.start({ front: today, objects: old });
    const made = await signInBound(baton, "ben");
    for (const { refresh_token } of [kept, made]) {
      const next = await baton.expectRefresh(
        "app",
        refresh_token,
        await proofOf("app"),
      );
      expectBound(next);
      expect(await baton.refresh("app", next.refresh_token)).toMatchObject(
        needsProof,
      );
    }

    await server.start({ front: today, objects: today });
    const later = await signInBound(baton, "ann");
    expectBound(
      await baton.expectRefresh(
        "app",
        later.refresh_token,
        await proofOf("app"),
      ),
    );
  });

  it("a client that authenticates with its key gets a token of its own, or is told to try again while the objects are of that version", async () => {
    await server.start({ front: today, objects: old });
    for (const scope of ["read", "write"])
      await baton.expectAdmin("PUT", `/scopes/${scope}`, {
        description: scope,
      });
    await makeKeyClient(baton);
    expect(await baton.ownToken(KEY_CLIENT)).toMatchObject({
      status: oldKnows ? 200 : 503,
    });
    await server.start({ front: today, objects: today });
    expect(await baton.ownToken(KEY_CLIENT)).toMatchObject({ status: 200 });
  });

  it("a login that is bound to a key comes through a deploy on its way, and is bound afterwards", async () => {
    await server.start({ front: today, objects: today });
    await baton.makeClient("app", { scope: "" });
    const { refresh_token } = await signInBound(baton, "ann");

    await server.start({ front: old, objects: today });
    const answer = await baton.refresh(
      "app",
      refresh_token,
      await proofOf("app"),
    );
    // A version that reads no proofs cannot say that one is missing. Nothing is used up.
    if (!oldKnows) expect(answer).toMatchObject({ status: 500 });
    else expectBound(answer.body as unknown as Tokens);

    await server.start({ front: today, objects: today });
    expect(await baton.refresh("app", refresh_token)).toMatchObject(needsProof);
    expectBound(
      await baton.expectRefresh("app", refresh_token, await proofOf("app")),
    );
  });

  it("logins come through a rollback. A version that reads no proofs takes the token as a bearer token", async () => {
    await server.start({ front: today, objects: today });
    await baton.makeClient("app", { scope: "" });
    let ann = await signInBound(baton, "ann");

    await server.start({ front: old, objects: old });
    ann = await baton.expectRefresh(
      "app",
      ann.refresh_token,
      await proofOf("app"),
    );
    expect(ann).toMatchObject({ token_type: oldKnows ? "DPoP" : "Bearer" });

    await server.start({ front: today, objects: today });
    expect(await baton.refresh("app", ann.refresh_token)).toMatchObject(
      needsProof,
    );
    expectBound(
      await baton.expectRefresh("app", ann.refresh_token, await proofOf("app")),
    );
  });

  it("a record with keys is unknown to a version that does not know its method, and harms no other client", async () => {
    await server.start({ front: today, objects: today });
    await baton.expectAdmin("PUT", "/scopes/read", { description: "Read" });
    await baton.expectAdmin("PUT", "/scopes/write", { description: "Write" });
    await baton.makeClient("app");
    const records = await makeKeyRecords(baton);

    await server.start({ front: old, objects: old });
    const { body, status } = await baton.refresh(
      KEY_CLIENT,
      records["key_client_refresh"]!,
    );
    expect({ status, body }).toMatchObject(
      oldKnows ? { status: 200 } : { status: 500 },
    );
    const other = await baton.login("app", "dora");
    await baton.expectRefresh("app", other.refresh_token);

    await server.start({ front: today, objects: today });
    const current = oldKnows
      ? String(body["refresh_token"])
      : records["key_client_refresh"]!;
    await baton.expectRefresh(KEY_CLIENT, current);
    // The login that had begun without a key ends if its first token comes back without one.
    expect(await baton.refresh("app", records["bearer_used"]!)).toMatchObject(
      invalidGrant,
    );
  });
});
