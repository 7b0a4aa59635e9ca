import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import {
  currentVersion,
  keptRecords,
  keptWorker,
  neighbours,
} from "./releases.ts";
import { partsOf } from "./refresh-token-parts.ts";
import { Session } from "./session.ts";
import { ADMIN_TOKEN, leagueToken } from "./test-keys.ts";
import { type Pair, TwoWorkers } from "./two-workers.ts";

/**
 * A deploy reaches the Durable Objects minutes after the Worker, and a rollback too. So today's Worker must work with the
 * objects of the versions beside it, and their Workers with today's objects.
 */

const invalidGrant = { status: 400, body: { error: "invalid_grant" } };
const oneOfEach = { exchanged: 1, revoked: 1 };
const inactive = { status: 200, body: { active: false } };

const today = inject("today");

let server: TwoWorkers;
let baton: Session;
beforeEach(() => {
  server = new TwoWorkers();
  baton = new Session(server);
});
afterEach(() => server.stop());

async function makeClients(): Promise<void> {
  for (const scope of ["read", "write"])
    await baton.expectAdmin("PUT", `/scopes/${scope}`, { description: scope });
  await baton.makeClient("web");
  await baton.makeClient("patient", { refresh_token_retry_window: "PT1H" });
  await baton.makeClient("app");
  await baton.makeClient("demo");
}

/**
 * Does everything for which a Worker calls an object.
 *
 * @returns what `/admin/league` says of the two tokens of the old server
 */
async function callEveryObject(): Promise<unknown> {
  await makeClients();

  // A refresh, and the return of a used token.
  const { refresh_token: first } = await baton.login("web", "alice");
  const second = await baton.expectRefresh("web", first);
  const third = await baton.expectRefresh("web", second.refresh_token);
  expect(await baton.introspect("web", third.access_token)).toMatchObject({
    body: { active: true, sub: "alice" },
  });
  expect(await baton.refresh("web", first)).toMatchObject(invalidGrant);
  expect(await baton.refresh("web", third.refresh_token)).toMatchObject(
    invalidGrant,
  );
  expect(await baton.introspect("web", third.access_token)).toMatchObject(
    inactive,
  );

  // A retry.
  const { refresh_token: retried } = await baton.login("patient", "alice");
  const successor = await baton.expectRefresh("patient", retried);
  const again = await baton.expectRefresh("patient", retried);
  expect(again.refresh_token).toBe(successor.refresh_token);
  await baton.expectRefresh("patient", successor.refresh_token);
  expect(await baton.refresh("patient", retried)).toMatchObject(invalidGrant);

  // A code, once.
  const code = await baton.codeFor("app", "alice");
  const signedIn = await baton.expectRedeem("app", code);
  expect(await baton.redeem("app", code)).toMatchObject(invalidGrant);
  const next = await baton.expectRefresh("app", signedIn.refresh_token);

  // A revocation.
  expect(await baton.revoke("app", next.refresh_token)).toMatchObject({
    status: 200,
  });
  expect(await baton.refresh("app", next.refresh_token)).toMatchObject(
    invalidGrant,
  );

  // A list, the end of one login, and a logout that a code on its way does not survive.
  const bobs = [
    await baton.login("web", "bob"),
    await baton.login("patient", "bob"),
  ];
  const onItsWay = await baton.codeFor("app", "bob");
  const { grants } = await baton.expectAdmin<{
    grants: { grant_id: string; client_id: string }[];
  }>("GET", "/subjects/bob/grants");
  expect(grants.map(({ client_id }) => client_id).toSorted()).toEqual([
    "patient",
    "web",
  ]);
  const atWeb = grants.find(({ client_id }) => client_id === "web")!;
  await baton.expectAdmin("DELETE", `/grants/${atWeb.grant_id}`);
  expect(await baton.expectAdmin("DELETE", "/subjects/bob/grants")).toEqual({
    revoked: 1,
  });
  for (const [position, client] of ["web", "patient"].entries())
    expect(
      await baton.refresh(client, bobs[position]!.refresh_token),
    ).toMatchObject(invalidGrant);
  expect(await baton.redeem("app", onItsWay)).toMatchObject(invalidGrant);

  // Changes of records.
  await baton.expectAdmin("PATCH", "/clients/web", { client_name: "Renamed" });
  expect(await baton.expectAdmin("GET", "/clients/web")).toMatchObject({
    client_name: "Renamed",
  });
  const { refresh_token: ending } = await baton.login("web", "carol");
  await baton.expectAdmin("PATCH", "/clients/web", {
    tokens_not_before: "now",
  });
  expect(await baton.refresh("web", ending)).toMatchObject(invalidGrant);
  await baton.expectAdmin("DELETE", "/clients/web");
  expect(
    await baton.admin("POST", "/clients", { client_id: "web" }),
  ).toMatchObject({ status: 409 });

  // Tokens of the old server.
  const [exchanged, revoked] = [leagueToken(0), leagueToken(1)];
  const { refresh_token_id, expire_time } = revoked.payload;
  await baton.expectAdmin("POST", "/league/revoked-tokens", {
    tokens: [{ refresh_token_id, expires_at: expire_time }],
  });
  expect(await baton.refresh("demo", revoked.refresh_token)).toMatchObject(
    invalidGrant,
  );
  const moved = await baton.expectRefresh("demo", exchanged.refresh_token);
  await baton.expectRefresh("demo", moved.refresh_token);
  expect(await baton.refresh("demo", exchanged.refresh_token)).toMatchObject(
    invalidGrant,
  );
  return baton.expectAdmin("GET", "/league");
}

it("there is a version before that of package.json", () => {
  expect(neighbours).toHaveLength(2);
  expect(neighbours[1]).toBe(currentVersion);
});

it("after a rollback the version before reads what the version of package.json has stored", async () => {
  const [before = ""] = neighbours;
  const old = keptWorker(before);
  const { made_at, in_flight, ...stored } = keptRecords(currentVersion);
  const tokenOf = (name: string) => in_flight[name]!.join("");
  const shift = made_at + 1000 - Date.now();
  await server.start({ front: old, objects: old }, shift);
  await server.load(stored);

  const health = await server.fetch("/health", {
    headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  const { problems = [] } = (await health.json()) as {
    problems?: { name: string }[];
  };
  // A version before 0.5.0 cannot read a record with a method that it does not know. It names it, and reads all others.
  const knowsKeys = "bound_refresh" in keptRecords(before).in_flight;
  const withKey = Object.entries(stored.kv).filter(([, { value }]) =>
    /"token_endpoint_auth_method":"(?:private_key_jwt|tls_)/.test(
      JSON.stringify(value),
    ),
  );
  expect(problems.map(({ name }) => name).toSorted()).toEqual(
    knowsKeys ? [] : withKey.map(([key]) => key).toSorted(),
  );
  for (const [client, name] of [
    ["web", "refresh"],
    ["app", "refresh_of_app"],
    ["demo", "refresh_after_league"],
    ["portal", "openid_refresh"],
  ] as const) {
    const { refresh_token } = await baton.expectRefresh(client, tokenOf(name));
    await baton.expectRefresh(client, refresh_token);
  }
  const retry = tokenOf("refresh_to_retry");
  const again = await baton.expectRefresh("patient", retry);
  // A version before 0.4.0 writes no reason into the token.
  const { reason } = partsOf(again.refresh_token);
  expect(partsOf(again.refresh_token)).toEqual({
    ...partsOf(tokenOf("refresh_after_retry")),
    reason,
  });
  await baton.expectRefresh("patient", tokenOf("refresh_after_retry"));
  await baton.expectRedeem("web", tokenOf("code"));
  await baton.expectRedeem("portal", tokenOf("openid_code"));
  await baton.decide(tokenOf("request"), "alice");
  expect(
    await baton.redeem("app", tokenOf("code_before_logout")),
  ).toMatchObject(invalidGrant);
  expect(
    await baton.refresh("deleted", tokenOf("refresh_of_deleted")),
  ).toMatchObject({ status: 401 });
  expect(
    await baton.admin("POST", "/clients", { client_id: "deleted" }),
  ).toMatchObject({ status: 409 });
});

describe.each(neighbours)("version %s and the code of today", (version) => {
  const old = keptWorker(version);

  it("today's Worker works with that version's objects", async () => {
    await server.start({ front: today, objects: old });
    expect(await callEveryObject()).toMatchObject(oneOfEach);

    const { checks } = await baton.expectAdmin<{
      checks: { name: string; problem?: string }[];
    }>("POST", "/doctor");
    expect(checks.length).toBeGreaterThan(5);
    const problems = checks.filter(({ problem }) => problem);
    // An object of a version before 0.5.0 does not have the class.
    const { AssertionLedger } = keptRecords(version).objects;
    expect(problems.map(({ name }) => name)).toEqual(
      AssertionLedger ? [] : ["ASSERTION_LEDGER"],
    );
    const { refresh_token: token } = await baton.login("app", "dave");
    expect(
      await baton.expectAdmin("POST", "/introspect", { token }),
    ).toMatchObject({ active: true, subject: "dave" });
    await baton.expectAdmin("POST", "/revoke", { token });
    expect(await baton.refresh("app", token)).toMatchObject(invalidGrant);
  });

  it("that version's Worker works with today's objects", async () => {
    await server.start({ front: old, objects: today });
    expect(await callEveryObject()).toMatchObject(oneOfEach);
  });

  it("logins go on through the minutes of a deploy, and through those of a rollback", async () => {
    const stages: Pair[] = [
      { front: old, objects: old },
      { front: today, objects: old },
      { front: today, objects: today },
      { front: old, objects: today },
      { front: old, objects: old },
    ];
    const tokens = new Map<string, { client: string; token: string }>();
    let code: string | undefined;
    for (const [stage, pair] of stages.entries()) {
      await server.start(pair);
      if (stage === 0) await makeClients();
      for (const [name, { client, token }] of tokens) {
        const { refresh_token } = await baton.expectRefresh(client, token);
        tokens.set(name, { client, token: refresh_token });
      }
      const { refresh_token: token } = await baton.login("web", "alice");
      tokens.set(`a login of stage ${stage}`, { client: "web", token });
      // A code that the stage before has made.
      if (code !== undefined) {
        const signedIn = await baton.expectRedeem("app", code);
        tokens.set(`a code of stage ${stage}`, {
          client: "app",
          token: signedIn.refresh_token,
        });
      }
      code = await baton.codeFor("app", "alice");
      await baton.expectAdmin("PATCH", "/clients/app", {
        client_name: `Stage ${stage}`,
      });
    }
    expect(await baton.expectAdmin("DELETE", "/subjects/alice/grants")).toEqual(
      { revoked: 2 * stages.length - 1 },
    );
    for (const { client, token } of tokens.values())
      expect(await baton.refresh(client, token)).toMatchObject(invalidGrant);
  });
});
