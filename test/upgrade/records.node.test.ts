import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { loginClaimNames } from "../../src/oauth/login-claims.ts";
import type { Records } from "./records.ts";
import { currentVersion, keptRecords, keptVersions } from "./releases.ts";
import { grantOf } from "./scenario-openid.ts";
import { Session } from "./session.ts";
import { ADMIN_TOKEN, leagueToken, secretOf } from "./test-keys.ts";
import { TwoWorkers } from "./two-workers.ts";

/** The Worker of today reads what each released version has stored. */

const invalidGrant = { status: 400, body: { error: "invalid_grant" } };
const active = (sub: string) => ({ status: 200, body: { active: true, sub } });

const today = inject("today");

it("the version of package.json is kept: npm run release:keep", () => {
  expect(keptVersions).toContain(currentVersion);
});

it("the records of the version of package.json are of every kind", () => {
  const { kv, objects } = keptRecords(currentVersion);
  expect(Object.keys(kv)).toEqual(
    expect.arrayContaining([
      "scopes",
      "resources",
      "admin_tokens",
      "client:web",
    ]),
  );
  const clients = Object.entries(kv).filter(([key]) =>
    key.startsWith("client:"),
  );
  const clientFields = clients.flatMap(([, { value }]) => Object.keys(value!));
  expect(clientFields).toEqual(
    expect.arrayContaining([
      "client_name",
      "deleted_at",
      "deleted_client",
      "disabled_at",
      "resource_server",
      "tokens_not_before",
    ]),
  );
  expect(kindsOf(objects)).toEqual({
    TokenFamily: ["family: ended", "family: living", "family: untold"],
    SubjectIndex: ["family", "logout"],
    KvRecordWriter: ["recent"],
    LeagueLedger: ["token: exchanged", "token: revoked"],
    AssertionLedger: ["used"],
    RegistrationCounter: ["today"],
  });
  const logins = Object.values(objects["TokenFamily"]!).flatMap(({ kv }) => {
    const { login = {} } = kv["family"] as { login?: object };
    return Object.keys(login);
  });
  expect(logins).toEqual(expect.arrayContaining([...loginClaimNames]));
});

/** Names the kinds of records in the objects of each class. */
function kindsOf(objects: Records["objects"]): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(objects).map(([name, stored]) => {
      const kinds = Object.values(stored).flatMap(({ kv, tables }) => [
        ...Object.entries(kv).map(([key, value]) =>
          key === "family"
            ? `family: ${stateOf(value as object)}`
            : key.replace(/:.*/, ""),
        ),
        ...tables.flatMap(({ name, rows }) =>
          rows.map(({ state }) =>
            typeof state === "string" ? `${name}: ${state}` : name,
          ),
        ),
      ]);
      return [name, [...new Set(kinds)].toSorted()];
    }),
  );
}

/** `untold`: the login has ended, and its client is still to be told. */
function stateOf(family: object): string {
  if (!Object.hasOwn(family, "ended")) return "living";
  return Object.hasOwn(family, "logout") ? "untold" : "ended";
}

/** KV's own expiry is not loaded: it would remove an old tombstone by the clock of the machine. */
function withoutExpiration(kv: Records["kv"]): Records["kv"] {
  return Object.fromEntries(
    Object.entries(kv).map(([key, { value, metadata }]) => [
      key,
      { value, metadata },
    ]),
  );
}

/** Counts the objects of each class that has some. */
function countOf(objects: Records["objects"]): Record<string, number> {
  return Object.fromEntries(
    Object.entries(objects)
      .map(([name, stored]) => [name, Object.keys(stored).length] as const)
      .filter(([, count]) => count > 0),
  );
}

describe.each(keptVersions)("what version %s has stored", (version) => {
  const records = keptRecords(version);
  const server = new TwoWorkers();
  const baton = new Session(server);

  function inFlight(name: string): string {
    const pieces = records.in_flight[name];
    if (!pieces) throw new Error(`version ${version} has no ${name}`);
    return pieces.join("");
  }
  /** One case if the version knows this field of a record, else none. */
  function hasIn(key: string, field: string): string[] {
    const { value } = records.kv[key] ?? { value: {} };
    return Object.keys(value as object).filter((name) => name === field);
  }

  beforeAll(async () => {
    // A second later, because a code is good for a minute.
    const shift = records.made_at + 1000 - Date.now();
    // Some of the stored clients must send a certificate.
    const variables = { CLIENT_CERTIFICATES: "on" };
    await server.start({ front: today, objects: today, variables }, shift);
    await server.load(records);
  });
  afterAll(() => server.stop());

  it("is complete, and no record is malformed", async () => {
    const stored = await server.dump();
    expect(stored.kv).toEqual(withoutExpiration(records.kv));
    expect(countOf(stored.objects)).toEqual(countOf(records.objects));
    const health = await server.fetch("/health", {
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const whole = (await health.json()) as object;
    expect(whole).toMatchObject({ status: "ok" });
    expect(whole).not.toHaveProperty("problems");
  });

  it("a code is exchanged, and a request leads to one", async () => {
    await baton.expectRedeem("web", inFlight("code"));
    const code = await baton.decide(inFlight("request"), "heidi");
    await baton.expectRedeem("app", code);
    expect(await grantsOf("heidi")).toEqual(["app"]);
  });

  it("a code from before a logout is refused", async () => {
    expect(
      await baton.redeem("app", inFlight("code_before_logout")),
    ).toMatchObject(invalidGrant);
    expect(await grantsOf("bob")).toEqual([]);
  });

  it("clients, scopes and logins are listed", async () => {
    const { clients } = await baton.expectAdmin<{
      clients: { client_id: string }[];
    }>("GET", "/clients?limit=100");
    const stored = Object.entries(records.kv).flatMap(([key, { value }]) =>
      key.startsWith("client:") && !Object.hasOwn(value!, "deleted_at")
        ? [key.slice("client:".length)]
        : [],
    );
    expect(clients.map(({ client_id }) => client_id)).toEqual(stored);
    const { scopes } = await baton.expectAdmin("GET", "/scopes");
    expect(scopes).toEqual(
      expect.arrayContaining([
        { scope: "read", description: "May read" },
        { scope: "write", description: "May write" },
      ]),
    );
    expect(scopes).toHaveLength(
      Object.keys(records.kv["scopes"]!.value!).length,
    );
    expect(await grantsOf("alice")).toEqual(
      expect.arrayContaining(["app", "patient", "web"]),
    );
  });

  it("living logins are refreshed, and their access tokens are active", async () => {
    for (const [client, name] of [
      ["web", "refresh"],
      ["app", "refresh_of_app"],
      ["demo", "refresh_after_league"],
    ] as const) {
      const first = await baton.expectRefresh(client, inFlight(name));
      const next = await baton.expectRefresh(client, first.refresh_token);
      // They do not have the scope openid.
      expect(next).not.toHaveProperty("id_token");
    }
    expect(await baton.introspect("web", inFlight("access"))).toMatchObject(
      active("alice"),
    );
    expect(await baton.introspect("api", inFlight("access"))).toMatchObject(
      active("alice"),
    );
    expect(
      await baton.introspect("machine", inFlight("access_of_machine")),
    ).toMatchObject(active("machine"));
  });

  it("a login is given claims", async () => {
    const claims = { roles: ["editor"] };
    const token = inFlight("access");
    await baton.expectAdmin("PATCH", `/grants/${grantOf(token)}`, { claims });
    expect(await baton.introspect("web", token)).toMatchObject({
      body: { active: true, sub: "alice", ...claims },
    });
  });

  it("a retry gets the same successor", async () => {
    const again = await baton.expectRefresh(
      "patient",
      inFlight("refresh_to_retry"),
    );
    expect(again.refresh_token).toBe(inFlight("refresh_after_retry"));
    await baton.expectRefresh("patient", again.refresh_token);
  });

  it("a used token ends its login", async () => {
    expect(await baton.refresh("web", inFlight("refresh_used"))).toMatchObject(
      invalidGrant,
    );
    expect(
      await baton.refresh("web", inFlight("refresh_after_used")),
    ).toMatchObject(invalidGrant);
  });

  it("what has ended stays ended", async () => {
    for (const [client, name] of [
      ["web", "refresh_revoked"],
      ["app", "refresh_of_code_revoked"],
      ["ended", "refresh_before_end"],
    ] as const)
      expect(await baton.refresh(client, inFlight(name)), name).toMatchObject(
        invalidGrant,
      );
  });

  it("clients authenticate with both secrets of a rotation", async () => {
    for (const secret of [
      secretOf("rotated"),
      inFlight("new_secret_of_rotated"),
    ]) {
      const answer = await baton.ownToken("rotated", secret);
      expect(answer).toMatchObject({ body: { error: "unauthorized_client" } });
    }
    expect(await baton.ownToken("rotated", "x".repeat(20))).toMatchObject({
      status: 401,
    });
    expect(await baton.ownToken("no-secret-yet")).toMatchObject({
      status: 401,
    });
    expect(await baton.ownToken("machine")).toMatchObject({ status: 200 });
  });

  it("a deleted client is unknown, and its id is taken", async () => {
    expect(
      await baton.refresh("deleted", inFlight("refresh_of_deleted")),
    ).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    expect(
      await baton.admin("POST", "/clients", { client_id: "deleted" }),
    ).toMatchObject({ status: 409 });
  });

  it.each(hasIn("client:deleted", "deleted_client"))(
    "a deleted client is restored with its logins",
    async () => {
      await baton.expectAdmin("POST", "/clients/deleted/restore");
      await baton.expectRefresh("deleted", inFlight("refresh_of_deleted"));
    },
  );

  it.each(hasIn("client:disabled", "disabled_at"))(
    "a disabled client is unknown, and has its logins when it is enabled",
    async () => {
      const token = inFlight("refresh_of_disabled");
      expect(await baton.refresh("disabled", token)).toMatchObject({
        status: 401,
      });
      await baton.expectAdmin("PATCH", "/clients/disabled", {
        disabled: false,
      });
      await baton.expectRefresh("disabled", token);
    },
  );

  it.each(hasIn("client:every-field", "backchannel_logout_uri"))(
    "the addresses for logout are those of the record (%s)",
    async () => {
      const { value } = records.kv["client:every-field"]!;
      const {
        post_logout_redirect_uris,
        backchannel_logout_uri,
        backchannel_logout_session_required,
      } = value as Record<string, unknown>;
      expect(
        await baton.expectAdmin("GET", "/clients/every-field"),
      ).toMatchObject({
        post_logout_redirect_uris,
        backchannel_logout_uri,
        backchannel_logout_session_required,
      });
    },
  );

  it.each(hasIn("admin_tokens", "operator-of-test"))(
    "a named admin token is accepted, by its role",
    async () => {
      const token = inFlight("admin_token");
      expect(
        await baton.admin("GET", "/scopes", undefined, token),
      ).toMatchObject({ status: 200 });
      expect(
        await baton.admin("GET", "/tokens", undefined, token),
      ).toMatchObject({ status: 403 });
    },
  );

  it("a revoked token of the old server is refused, and another becomes a login", async () => {
    expect(await baton.expectAdmin("GET", "/league")).toMatchObject({
      exchanged: 1,
      revoked: 1,
    });
    const [exchanged, revoked, fresh] = [0, 1, 2].map(leagueToken);
    expect(await baton.refresh("demo", revoked!.refresh_token)).toMatchObject(
      invalidGrant,
    );
    await baton.expectRefresh("demo", fresh!.refresh_token);
    expect(await baton.refresh("demo", exchanged!.refresh_token)).toMatchObject(
      invalidGrant,
    );
  });

  it("a record is changed", async () => {
    await baton.expectAdmin("PATCH", "/clients/every-field", {
      client_name: "Renamed",
    });
    expect(
      await baton.expectAdmin("GET", "/clients/every-field"),
    ).toMatchObject({ client_name: "Renamed", access_token_ttl: "PT5M" });
  });

  it("a user is logged out everywhere", async () => {
    const before = await grantsOf("alice");
    expect(before.length).toBeGreaterThan(2);
    expect(await baton.expectAdmin("DELETE", "/subjects/alice/grants")).toEqual(
      { revoked: before.length },
    );
    expect(await grantsOf("alice")).toEqual([]);
  });

  async function grantsOf(subject: string): Promise<string[]> {
    const { grants } = await baton.expectAdmin<{
      grants: { client_id: string }[];
    }>("GET", `/subjects/${subject}/grants`);
    return grants.map(({ client_id }) => client_id);
  }
});
