import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import {
  afterEach,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
  vi,
} from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../../support/authorization.ts";
import { familiesWith } from "../../support/faults.ts";
import { rewriteClient } from "../../support/records.ts";
import {
  refusal,
  server,
  serverWith,
  type Tokens,
} from "../../support/server.ts";
import { logOut } from "../../support/subjects.ts";
import {
  makeRegisteredClient,
  RESOURCE,
  writeResources,
} from "../../support/self-registered.ts";

/**
 * Tests step-up: a client asks for one scope more, and the login may add what the user's logins at this very client have
 * already.
 */

interface Described {
  scope: string;
  description: string;
}

const NOTES = RESOURCE;
const MAIL = "https://mcp.example.com/mail";
/** What a client that has registered itself may ask for here. */
const fields = { scope: "read write delete", resources: [NOTES, MAIL] };

beforeAll(() => server.makeScopes("openid", "read", "write", "delete"));

afterEach(() => {
  vi.useRealTimers();
});

/** A user of one test alone. */
const newUser = () => `user-${crypto.randomUUID()}`;

type Client = { client_id: string; client_secret?: string };
type Asked = Record<string, string | undefined>;

/** Signs a user in who allows everything that is asked for, or `allowed`. */
async function signIn(
  client: Client,
  subject: string,
  scope: string,
  { allowed = scope, ...more }: Asked = {},
): Promise<Tokens> {
  const asked = { scope, resource: NOTES, ...more };
  const decision = { subject, scope: allowed, consent: true };
  const code = await obtainCode(client, asked, decision);
  return expectTokens(await redeem(client, code));
}

/** The scopes that a login learns of, for a request of this user. */
async function grantedTo(
  client: Client,
  subject: string,
  more: Asked = {},
  to = server,
): Promise<string[]> {
  const asked = { scope: "delete", resource: NOTES, ...more };
  const request = await requestAtLogin(client, asked, to);
  const query = new URLSearchParams({ request, subject }).toString();
  const path = `/authorizations?${query}`;
  const { granted_scopes } = await to.expectAdmin<{
    granted_scopes: Described[];
  }>("GET", path);
  return granted_scopes.map(({ scope }) => scope);
}

/** Decides a request for `delete` with more than it asks for. */
async function decideMore(
  client: Client,
  subject: string,
  scope: string,
  more: Asked = {},
): Promise<Response> {
  const asked = { scope: "delete", resource: NOTES, ...more };
  const request = await requestAtLogin(client, asked);
  const decision = { request, subject, scope, consent: true };
  return server.admin("POST", "/authorizations", decision);
}

const notGranted = [400, "invalid_scope", "scope_not_granted"];

describe("a description for a user", () => {
  it("has the scopes that their logins at this client have, in words", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read");
    await signIn(client, subject, "write");
    const request = await requestAtLogin(client, {
      scope: "delete",
      resource: NOTES,
    });
    const described = await exports.Login.describeAuthorization(request, {
      subject,
    });
    expect(described).toMatchObject({
      scopes: [{ scope: "delete", description: "May delete" }],
      granted_scopes: [
        { scope: "read", description: "May read" },
        { scope: "write", description: "May write" },
      ],
    });
    const query = new URLSearchParams({ request, subject }).toString();
    expect(await server.expectAdmin("GET", `/authorizations?${query}`)).toEqual(
      described,
    );
  });

  it("has none without a login, and the field is left out if no user is named", async () => {
    const client = await makeRegisteredClient(fields);
    expect(await grantedTo(client, newUser())).toEqual([]);
    const request = await requestAtLogin(client, { resource: NOTES });
    for (const more of [[], [{}]])
      expect(
        await exports.Login.describeAuthorization(request, ...more),
      ).not.toHaveProperty("granted_scopes");
  });

  it("has none of another user, and none of another client with the same name and redirect URI", async () => {
    const client = await makeRegisteredClient(fields);
    const [alice, bob] = [newUser(), newUser()];
    await signIn(client, alice, "read write");
    expect(await grantedTo(client, bob)).toEqual([]);
    const twin = await makeRegisteredClient(fields);
    expect(await grantedTo(twin, alice)).toEqual([]);
    expect(await grantedTo(client, alice)).toEqual(["read", "write"]);
  });

  it("has none of an earlier client with the same id", async () => {
    const client = await makeRegisteredClient({
      ...fields,
      client_id_issued_at: 7,
    });
    const subject = newUser();
    await signIn(client, subject, "read");
    const granted = () => grantedTo(client, subject, {}, serverWith({}));
    await rewriteClient(client, { client_id_issued_at: 8 });
    expect(await granted()).toEqual([]);
    await rewriteClient(client, { client_id_issued_at: 7 });
    expect(await granted()).toEqual(["read"]);
  });

  it("has none of a login that has ended, and none that the client may no longer have", async () => {
    const client = await makeWebClient(fields);
    const subject = newUser();
    const { refresh_token } = await signIn(client, subject, "read");
    await signIn(client, subject, "write");
    await server.about("/revoke", client, refresh_token);
    expect(await grantedTo(client, subject)).toEqual(["write"]);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope: "read delete",
    });
    expect(await grantedTo(client, subject)).toEqual([]);
    await signIn(client, subject, "read");
    expect(await grantedTo(client, subject)).toEqual(["read"]);
    await logOut(subject);
    expect(await grantedTo(client, subject)).toEqual([]);
  });

  it("has none of a login that the client's record ends, by a time or by a shorter life", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read");
    const hour = 60 * 60;
    const later = Math.floor(Date.now() / 1000) + hour;
    vi.useFakeTimers({ toFake: ["Date"], now: later * 1000 });
    const granted = () => grantedTo(client, subject, {}, serverWith({}));
    expect(await granted()).toEqual(["read"]);
    await rewriteClient(client, { tokens_not_before: later - 1 });
    expect(await granted()).toEqual([]);
    const tokens_not_before = later - 2 * hour;
    await rewriteClient(client, { tokens_not_before });
    expect(await granted()).toEqual(["read"]);
    await rewriteClient(client, { refresh_token_max_age: "PT30M" });
    expect(await granted()).toEqual([]);
  });

  it("has none of a login for another resource", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read", { resource: MAIL });
    expect(await grantedTo(client, subject)).toEqual([]);
    expect(await grantedTo(client, subject, { resource: MAIL })).toEqual([
      "read",
    ]);
    await signIn(client, subject, "write");
    expect(await grantedTo(client, subject)).toEqual(["write"]);
  });

  it("has no scope that belongs to another resource, also of a login for both", async () => {
    await writeResources({
      [NOTES]: { scope: "read delete" },
      [MAIL]: { scope: "write" },
    });
    onTestFinished(() => writeResources({}));
    const to = serverWith({});
    const client = await makeWebClient(fields);
    const subject = newUser();
    await to.expectAdmin("POST", "/grants", {
      client_id: client.client_id,
      subject,
      resource: [NOTES, MAIL],
    });
    expect(await grantedTo(client, subject, {}, to)).toEqual([
      "read",
      "delete",
    ]);
  });

  it("looks at 100 logins of a user at most", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    const index = env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
    await runInDurableObject(index, async (index) => {
      for (let count = 0; count < 150; count++)
        await index.add(env.TOKEN_FAMILY.newUniqueId().toString());
    });
    const looked: string[] = [];
    const TOKEN_FAMILY = familiesWith((id) => ({
      look: async () => {
        looked.push(id.toString());
        return undefined;
      },
    }));
    const to = serverWith({ TOKEN_FAMILY });
    expect(await grantedTo(client, subject, {}, to)).toEqual([]);
    expect(looked).toHaveLength(100);
  });

  it("has none of a login for one resource if the request is for all", async () => {
    const client = await makeWebClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read");
    expect(await grantedTo(client, subject, { resource: undefined })).toEqual(
      [],
    );
    await signIn(client, subject, "write", { resource: undefined });
    expect(await grantedTo(client, subject)).toEqual(["read", "write"]);
  });

  it("has openid only if the request has it", async () => {
    const client = await makeWebClient({ scope: "openid read delete" });
    const subject = newUser();
    const resource = undefined;
    await signIn(client, subject, "openid read", { resource });
    expect(await grantedTo(client, subject, { resource })).toEqual(["read"]);
    const scope = "openid delete";
    expect(await grantedTo(client, subject, { resource, scope })).toEqual([
      "openid",
      "read",
    ]);
  });

  it.each([
    ["", "subject"],
    [".", "subject"],
    ["x".repeat(256), "subject"],
  ])("refuses the user %j", async (subject, field) => {
    const request = await requestAtLogin(await makeWebClient());
    const query = new URLSearchParams({ request, subject }).toString();
    const refused = await server.admin("GET", `/authorizations?${query}`);
    const problems = await fieldErrors(refused, "admin_body_invalid");
    expect(Object.keys(problems)).toEqual([field]);
    expect(
      await exports.Login.describeAuthorization(request, { subject }),
    ).toMatchObject({ fields: { "about.subject": expect.any(String) } });
  });
});

describe("a decision", () => {
  it("may add what the user has allowed this client before: the new login has both, and the old one goes on", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    const before = await signIn(client, subject, "read write");
    const after = await signIn(client, subject, "delete", {
      allowed: "read write delete",
    });
    expect(after.scope).toBe("read write delete");
    const next = await server.expectRefresh(client, after.refresh_token);
    expect(next.scope).toBe("read write delete");
    const old = await server.expectRefresh(client, before.refresh_token);
    expect(old.scope).toBe("read write");
  });

  it("may add a part of it", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read write");
    const allowed = "delete read";
    const { scope } = await signIn(client, subject, "delete", { allowed });
    expect(scope).toBe("delete read");
  });

  it("adds nothing by itself", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read write");
    const asked = { scope: "delete", resource: NOTES };
    const decision = { subject, consent: true };
    const code = await obtainCode(client, asked, decision);
    const { scope } = await expectTokens(await redeem(client, code));
    expect(scope).toBe("delete");
  });

  it("gets access_denied for the client if it allows nothing of what was asked for", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read");
    const response = await decideMore(client, subject, "read");
    const { redirect_to } = await response.json<{ redirect_to: string }>();
    expect(new URL(redirect_to).searchParams.get("error")).toBe(
      "access_denied",
    );
  });

  it("can't add a scope that the user has never allowed", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read");
    for (const scope of ["delete write", "delete read write", "delete admin"])
      expect(await refusal(await decideMore(client, subject, scope))).toEqual(
        notGranted,
      );
  });

  it("can't add a scope that another user, another client or another resource has", async () => {
    const client = await makeRegisteredClient(fields);
    const twin = await makeRegisteredClient(fields);
    const [alice, bob] = [newUser(), newUser()];
    await signIn(client, alice, "read");
    const refused = [
      await decideMore(client, bob, "delete read"),
      await decideMore(twin, alice, "delete read"),
      await decideMore(client, alice, "delete read", { resource: MAIL }),
    ];
    for (const response of refused)
      expect(await refusal(response)).toEqual(notGranted);
  });

  it("can't add a scope of a login that has ended since the description", async () => {
    const client = await makeRegisteredClient(fields);
    const subject = newUser();
    await signIn(client, subject, "read");
    expect(await grantedTo(client, subject)).toEqual(["read"]);
    await logOut(subject);
    expect(
      await refusal(await decideMore(client, subject, "delete read")),
    ).toEqual(notGranted);
  });
});
