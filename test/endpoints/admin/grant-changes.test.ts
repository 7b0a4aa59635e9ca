import { exports } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import {
  type AdminToken,
  askWith,
  makeToken,
} from "../../support/administrators.ts";
import { makeWebClient } from "../../support/authorization.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import {
  everyLoginClaim,
  extraClaims,
  inAccessToken,
} from "../../support/login-claims.ts";
import { grantIdOf, withStorage } from "../../support/login-object.ts";
import {
  refusal,
  server,
  type TestClient,
  type Tokens,
} from "../../support/server.ts";

/** Tests `PATCH /admin/grants/{grant_id}`, which changes what a living login says about its user. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read");
  client = await makeWebClient({ scope: "read" });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Details = Record<string, unknown>;

function change(tokens: Tokens, changes: unknown): Promise<Response> {
  return server.admin("PATCH", `/grants/${grantIdOf(tokens)}`, changes);
}

async function changed(tokens: Tokens, changes: unknown): Promise<Details> {
  const response = await change(tokens, changes);
  expect(response.status).toBe(200);
  return response.json();
}

function show(tokens: Tokens): Promise<Details> {
  return server.expectAdmin("GET", `/grants/${grantIdOf(tokens)}`);
}

const login = () => server.login(client, everyLoginClaim);

describe("PATCH /admin/grants/{grant_id}", () => {
  it("changes the fields that it names, and answers with the grant as it is now", async () => {
    const tokens = await login();
    const before = await show(tokens);
    expect(before).toMatchObject(everyLoginClaim);
    const after = { ...before, claims: { roles: [] }, acr: "urn:example:low" };
    const { claims, acr } = after;
    expect(await changed(tokens, { claims, acr })).toEqual(after);
    expect(await show(tokens)).toEqual(after);
  });

  it("replaces a field as a whole, so that no role stays by mistake", async () => {
    const tokens = await login();
    const { claims } = await changed(tokens, { claims: { tenant: "other" } });
    expect(claims).toEqual({ tenant: "other" });
  });

  it.each(Object.keys(everyLoginClaim))("removes %s by null", async (field) => {
    const tokens = await login();
    const details = await changed(tokens, { [field]: null });
    expect(details).not.toHaveProperty(field);
    expect(await changed(tokens, { [field]: null })).toEqual(details);
  });

  it("changes nothing but these fields: tokens, scope and times stay", async () => {
    const tokens = await server.login(client);
    const before = await show(tokens);
    expect(await changed(tokens, everyLoginClaim)).toEqual({
      ...before,
      ...everyLoginClaim,
    });
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(next.scope).toBe("read");
  });

  it("takes effect at the next refresh, and at introspection at once", async () => {
    const tokens = await login();
    await changed(tokens, { claims: { roles: ["reader"] }, auth_time: null });
    const introspected = await server.about(
      "/introspect",
      client,
      tokens.access_token,
    );
    expect(await introspected.json()).toMatchObject({ roles: ["reader"] });
    const next = await server.expectRefresh(client, tokens.refresh_token);
    const { acr, amr } = inAccessToken;
    expect(extraClaims(next)).toEqual({ roles: ["reader"], acr, amr });
  });

  it("has nothing to do with no fields", async () => {
    const tokens = await login();
    expect(await changed(tokens, {})).toEqual(await show(tokens));
  });

  it("writes one row for a change, and none for a change to what stands", async () => {
    const tokens = await login();
    const rows = () =>
      withStorage(tokens, ({ sql }) =>
        Number(sql.exec("SELECT total_changes() AS n").one()["n"]),
      );
    const before = await rows();
    await changed(tokens, { claims: { roles: ["reader"] } });
    expect(await rows()).toBe(before + 1);
    await changed(tokens, { claims: { roles: ["reader"] } });
    expect(await rows()).toBe(before + 1);
  });
});

describe("a change that is refused", () => {
  it.each<[string, unknown, Record<string, string>]>([
    ["an unknown field", { subject: "bob" }, { subject: "field" }],
    [
      "a registered claim",
      { claims: { sub: "bob" } },
      { "claims.sub": "name" },
    ],
    ["a wrong type", { userinfo: [] }, { userinfo: "must be an object" }],
    [
      "a time in the future",
      { auth_time: 32_503_680_000 },
      { auth_time: "future" },
    ],
    [
      "2,049 bytes",
      { claims: { a: "x".repeat(2030) } },
      { claims: "1 byte too many" },
    ],
    [
      "too much with what stands",
      { claims: { a: "x".repeat(1900) } },
      { claims: "with what the grant has already" },
    ],
  ])(
    "for %s changes nothing and names the field",
    async (_, body, problems) => {
      const tokens = await login();
      const before = await show(tokens);
      const [field = "", problem = ""] = Object.entries(problems)[0] ?? [];
      expect(await fieldErrors(await change(tokens, body))).toEqual({
        [field]: expect.stringContaining(problem),
      });
      expect(await show(tokens)).toEqual(before);
    },
  );

  it("is one of a grant that has ended, has expired, or never was: 404", async () => {
    const gone = [404, "not_found", "admin_target_unknown"];
    const ended = await login();
    const path = `/grants/${grantIdOf(ended)}`;
    await server.expectAdmin("DELETE", path);
    const refused = await change(ended, { claims: {} });
    expect(await refusal(refused)).toEqual(gone);

    const expired = await login();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 40 * 86_400_000 });
    expect(await refusal(await change(expired, { claims: {} }))).toEqual(gone);
    vi.useRealTimers();

    for (const id of ["nobody", "0".repeat(64)])
      expect(
        await refusal(await server.admin("PATCH", `/grants/${id}`, {})),
      ).toEqual(gone);
  });
});

describe("a change beside a refresh", () => {
  it("loses neither, in any order", async () => {
    const tokens = await login();
    let { refresh_token } = tokens;
    for (let round = 1; round <= 8; round += 1) {
      const claims = { round };
      const refresh = () => server.expectRefresh(client, refresh_token);
      const patch = () => changed(tokens, { claims });
      const [first, second] = round % 2 ? [refresh, patch] : [patch, refresh];
      const answers = await Promise.all([first(), second()]);
      const next = answers.find((one) => "refresh_token" in one) as Tokens;
      // The token of the refresh has the claims of before or of after.
      expect([round, round - 1, undefined]).toContain(
        extraClaims(next)["round"],
      );
      expect(await show(tokens)).toMatchObject({
        claims,
        generation: 2 * round,
      });
      ({ refresh_token } = await server.expectRefresh(
        client,
        next.refresh_token,
      ));
    }
  });

  it("of a used token does not keep the login alive", async () => {
    const tokens = await login();
    await server.expectRefresh(client, tokens.refresh_token);
    await changed(tokens, { claims: { roles: [] } });
    expect(
      await refusal(await server.refresh(client, tokens.refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_reused"]);
    expect((await change(tokens, { claims: {} })).status).toBe(404);
  });
});

describe("who may see what a login says about its user", () => {
  const roles = ["operator", "read"] as const;
  let made: Record<string, AdminToken>;

  beforeAll(async () => {
    made = Object.fromEntries(
      await Promise.all(
        [...roles, "login"].map(async (role) => [role, await makeToken(role)]),
      ),
    ) as Record<string, AdminToken>;
  });

  it.each(roles)(
    "is not %s, who learns only which fields there are",
    async (role) => {
      const tokens = await login();
      const all = await show(tokens);
      const { token } = made[role]!;
      const path = `/grants/${grantIdOf(tokens)}`;
      const shown = await askWith(server, token, "GET", path);
      const inspected = await askWith(server, token, "POST", "/introspect", {
        token: tokens.access_token,
      });
      const fields = Object.keys(everyLoginClaim);
      const visible = Object.fromEntries(
        Object.entries(all).filter(([name]) => !fields.includes(name)),
      );
      const expected = { ...visible, hidden: fields };
      expect(await shown.json()).toEqual(expected);
      expect((await inspected.json<{ grant: unknown }>()).grant).toEqual(
        expected,
      );
    },
  );

  it("is the role login, which may change it", async () => {
    const tokens = await login();
    const { token } = made["login"]!;
    const path = `/grants/${grantIdOf(tokens)}`;
    const body = { claims: { roles: [] } };
    const response = await askWith(server, token, "PATCH", path, body);
    expect(await response.json()).toEqual({ ...(await show(tokens)), ...body });
  });
});

describe("the event grant.changed", () => {
  it("says who changed which fields of which login, and no value", async () => {
    const subject = crypto.randomUUID();
    const tokens = await server.login(client, { subject, ...everyLoginClaim });
    const lines = listenToLog();
    await changed(tokens, {
      claims: { marker: "must-not-be-seen" },
      userinfo: null,
    });
    const events = parsedLog(lines).filter(({ event }) => event !== "request");
    expect(events).toEqual([
      expect.objectContaining({
        event: "grant.changed",
        actor: "root",
        client_id: client.client_id,
        subject,
        grant_id: grantIdOf(tokens),
        changes: [{ field: "claims" }, { field: "userinfo" }],
      }),
    ]);
    expect(lines.join()).not.toContain("must-not-be-seen");
  });

  it("is written by no change that was refused, and by none of no field", async () => {
    const tokens = await login();
    const lines = listenToLog();
    await change(tokens, {});
    await change(tokens, { claims: { sub: "x" } });
    await change(tokens, { claims: { a: "x".repeat(1900) } });
    const names = parsedLog(lines).map(({ event }) => event);
    expect(names).toEqual(["request", "request", "request"]);
  });
});

describe("Login.updateGrant by RPC", () => {
  it("changes the fields and returns the grant", async () => {
    const tokens = await login();
    const grant_id = grantIdOf(tokens);
    const { id_token_claims, ...rest } = await show(tokens);
    expect(id_token_claims).toEqual(everyLoginClaim.id_token_claims);
    const update = { grant_id, id_token_claims: null, amr: ["hwk"] };
    expect(await exports.Login.updateGrant(update)).toEqual({
      ...rest,
      amr: ["hwk"],
    });
  });

  it("returns a refusal and does not throw", async () => {
    const untyped = exports.Login as unknown as {
      updateGrant(...args: unknown[]): Promise<unknown>;
    };
    const refused = (fields: object) => ({
      error: "invalid_request",
      error_description: expect.any(String),
      fields,
    });
    const grant_id = grantIdOf(await login());
    expect(await untyped.updateGrant()).toMatchObject({
      error: "invalid_request",
    });
    expect(await untyped.updateGrant({ claims: {} })).toEqual(
      refused({ grant_id: "is missing" }),
    );
    expect(
      await untyped.updateGrant({ grant_id, claims: { iss: "x" } }),
    ).toEqual(refused({ "claims.iss": expect.any(String) }));
    expect(await untyped.updateGrant({ grant_id: "nobody" })).toMatchObject({
      error: "not_found",
      error_description: "There is no such grant, or it has ended.",
    });
  });
});
