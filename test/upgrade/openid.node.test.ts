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
import {
  keptRecords,
  keptVersions,
  keptWorker,
  neighbours,
} from "./releases.ts";
import {
  contentOf,
  grantOf,
  LOGOUT_URI,
  makeOpenIdClients,
  person,
  SIGNED_OUT_URI,
} from "./scenario-openid.ts";
import { Session, type Tokens } from "./session.ts";
import { TwoWorkers } from "./two-workers.ts";

/** The logins of OpenID Connect, as each version has stored them, and while a deploy or a rollback is on its way. */

const invalidGrant = { status: 400, body: { error: "invalid_grant" } };
const tryAgain = { status: 503, body: { error: "temporarily_unavailable" } };

/** What the access token and the ID token say of `person`, by the scopes of the clients. */
const { acr, amr, claims } = person;
const { name, tier } = person.id_token_claims;
const ofAccessToken = { acr, amr, ...claims };
const ofIdToken = { acr, amr, name, tier };

const today = inject("today");

function expectPerson({ access_token, id_token }: Tokens, subject: string) {
  expect(contentOf(access_token)).toMatchObject({
    sub: subject,
    ...ofAccessToken,
  });
  expect(contentOf(id_token)).toMatchObject({ sub: subject, ...ofIdToken });
  expect(contentOf(id_token)).not.toHaveProperty("email");
}

const withOpenId = keptVersions.filter(
  (version) => "openid_refresh" in keptRecords(version).in_flight,
);

describe.each(withOpenId)("what version %s has stored", (version) => {
  const { made_at, in_flight, ...stored } = keptRecords(version);
  const server = new TwoWorkers();
  const baton = new Session(server);
  const shift = made_at + 1000 - Date.now();
  const signedInAt = expect.closeTo(made_at / 1000, -2) as number;

  function inFlight(name: string): string {
    return in_flight[name]!.join("");
  }

  beforeAll(async () => {
    await server.start({ front: today, objects: today }, shift);
    await server.load(stored);
  });
  afterAll(() => server.stop());

  it("a code has its nonce and what the login has said", async () => {
    const tokens = await baton.expectRedeem("portal", inFlight("openid_code"));
    expectPerson(tokens, "ivy");
    expect(contentOf(tokens.id_token)).toMatchObject({
      nonce: "the nonce of the code",
      sid: "another session of ivy",
      auth_time: signedInAt,
    });
  });

  it("a request has its demands and its nonce", async () => {
    const request = inFlight("openid_request");
    const about_max_age = expect.stringContaining("max_age") as string;
    expect(
      await baton.admin("POST", "/authorizations", { request, subject: "ivy" }),
    ).toMatchObject({
      status: 400,
      body: { fields: { auth_time: about_max_age } },
    });
    const auth_time = Math.floor(made_at / 1000);
    const { redirect_to } = await baton.expectAdmin("POST", "/authorizations", {
      request,
      subject: "another",
      auth_time,
    });
    expect(redirect_to).toContain("error=login_required");
    const code = await baton.decide(request, "ivy", { auth_time });
    const { id_token } = await baton.expectRedeem("portal", code);
    const nonce = "the nonce of the request";
    expect(contentOf(id_token)).toMatchObject({ sub: "ivy", nonce, auth_time });
  });

  it.each([
    ["by a code", "openid_refresh", "ivy"],
    ["by a back end", "openid_refresh_of_grant", "judy"],
  ])("a login %s carries what was said of its user", async (_, token, sub) => {
    const first = await baton.expectRefresh("portal", inFlight(token));
    expectPerson(first, sub);
    const next = await baton.expectRefresh("portal", first.refresh_token);
    expectPerson(next, sub);
    expect(contentOf(next.id_token)).toMatchObject({
      sid: `session of ${sub}`,
      auth_time: signedInAt,
    });
    expect(contentOf(next.id_token)).not.toHaveProperty("nonce");
  });

  it("UserInfo and introspection answer for an access token", async () => {
    const token = inFlight("openid_access");
    const { nickname } = person.userinfo;
    expect(await baton.userInfo(token)).toEqual({
      status: 200,
      body: { sub: "ivy", name, tier, nickname },
    });
    expect(await baton.introspect("portal", token)).toMatchObject({
      body: { active: true, sub: "ivy", ...ofAccessToken },
    });
  });

  it("what was said of a user is changed", async () => {
    const grant = grantOf(inFlight("openid_id_token"));
    const { tier: _, ...id_token_claims } = person.id_token_claims;
    await baton.expectAdmin("PATCH", `/grants/${grant}`, { id_token_claims });
    const { body } = await baton.userInfo(inFlight("openid_access"));
    expect(body).toEqual({ sub: "ivy", name, nickname: "ivy" });
  });

  it("a logout request ends its session", async () => {
    expect(
      await baton.refresh("portal", inFlight("openid_refresh_signed_out")),
    ).toMatchObject(invalidGrant);
    const other = inFlight("openid_refresh_of_session");
    const { refresh_token } = await baton.expectRefresh("portal", other);
    const request = inFlight("openid_logout");
    expect(await baton.expectAdmin("POST", "/logouts", { request })).toEqual({
      redirect_to: `${SIGNED_OUT_URI}?state=bye`,
    });
    expect(await baton.refresh("portal", refresh_token)).toMatchObject(
      invalidGrant,
    );
  });

  it("a client that could not be told of a logout is told", async () => {
    const grant = inFlight("grant_of_kim");
    const familyOf = async () =>
      (await server.dump()).objects["TokenFamily"]![grant];
    expect(await familyOf()).toMatchObject({
      kv: { family: { ended: true, logout: { failed: 1 } } },
    });
    await server.start({ front: today, objects: today }, shift + 120_000);
    const { first: posted } = postsTo(server);
    await server.alarmOf(grant);
    const { url, logout_token } = await posted;
    expect(url).toBe(LOGOUT_URI);
    expect(contentOf(logout_token)).toMatchObject({
      sub: "kim",
      aud: "tells",
      sid: "session of kim",
    });
    expect(await familyOf()).toBeUndefined();
  });
});

describe.each(neighbours)("version %s and the code of today", (version) => {
  const old = keptWorker(version);
  const oldKnows = withOpenId.includes(version);
  let server: TwoWorkers;
  let baton: Session;
  beforeEach(() => {
    server = new TwoWorkers();
    baton = new Session(server);
  });
  afterEach(() => server.stop());

  it("today's Worker works with that version's objects, or says that it must be tried again", async () => {
    await server.start({ front: today, objects: old });
    await makeOpenIdClients(baton);

    // What is stored in a login, the objects of any version keep.
    const nonce = "a nonce";
    const code = await baton.codeFor("portal", "ivy", {
      claims: person,
      nonce,
    });
    const signedIn = await baton.expectRedeem("portal", code);
    expectPerson(signedIn, "ivy");
    expect(contentOf(signedIn.id_token)).toMatchObject({ nonce });
    let ivy = await baton.expectRefresh("portal", signedIn.refresh_token);
    expectPerson(ivy, "ivy");
    expect(await baton.userInfo(ivy.access_token)).toMatchObject({
      body: { sub: "ivy", name, tier, nickname: "ivy" },
    });
    const ofSession = { ...person, sid: "session of leo" };
    const first = await baton.login("portal", "leo", ofSession);
    let other = await baton.login("portal", "leo", ofSession);
    expectPerson(other, "leo");

    // A sign-out ends the login of its ID token.
    const request = await baton.signOut(first.id_token);
    expect(await baton.refresh("portal", first.refresh_token)).toMatchObject(
      invalidGrant,
    );

    const change = () =>
      baton.admin("PATCH", `/grants/${grantOf(ivy.id_token)}`, {
        claims: { roles: ["reader"] },
      });
    const endSession = () => baton.admin("POST", "/logouts", { request });
    const done = { status: 200 };
    expect(await change()).toMatchObject(oldKnows ? done : tryAgain);
    expect(await endSession()).toMatchObject(oldKnows ? done : tryAgain);
    if (!oldKnows) {
      ivy = await baton.expectRefresh("portal", ivy.refresh_token);
      expectPerson(ivy, "ivy");
      other = await baton.expectRefresh("portal", other.refresh_token);
      expectPerson(other, "leo");
    }

    // The deploy has reached the objects.
    await server.start({ front: today, objects: today });
    expect(await change()).toMatchObject(done);
    expect(await endSession()).toMatchObject(done);
    ivy = await baton.expectRefresh("portal", ivy.refresh_token);
    expect(contentOf(ivy.access_token)).toMatchObject({ roles: ["reader"] });
    expect(await baton.refresh("portal", other.refresh_token)).toMatchObject(
      invalidGrant,
    );
  });

  it("a login keeps what was said of its user through a rollback, and its client is told by today's objects", async () => {
    await server.start({ front: today, objects: today });
    await makeOpenIdClients(baton);
    let ivy = await baton.login("portal", "ivy", person);
    const kim = await baton.login("tells", "kim", person);

    await server.start({ front: old, objects: today });
    const { first: posted } = postsTo(server);
    await baton.expectAdmin("DELETE", `/grants/${grantOf(kim.id_token)}`);
    const { logout_token } = await posted;
    expect(contentOf(logout_token)).toMatchObject({ sub: "kim" });

    ivy = await baton.expectRefresh("portal", ivy.refresh_token);
    if (oldKnows) expectPerson(ivy, "ivy");
    else expect(ivy).not.toHaveProperty("id_token");

    await server.start({ front: old, objects: old });
    ivy = await baton.expectRefresh("portal", ivy.refresh_token);

    await server.start({ front: today, objects: today });
    ivy = await baton.expectRefresh("portal", ivy.refresh_token);
    expectPerson(ivy, "ivy");
  });

  it("the refresh hook denies with that version's objects, and what it changes comes with today's", async () => {
    const hook = `import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  decideRefresh({ subject }) {
    return subject === "mallory"
      ? { allowed: false }
      : { allowed: true, claims: { roles: ["of the hook"] } };
  }
}`;
    await server.start({ front: today, objects: old, hook });
    await makeOpenIdClients(baton);
    const mallory = await baton.login("portal", "mallory", person);
    expect(await baton.refresh("portal", mallory.refresh_token)).toMatchObject(
      invalidGrant,
    );
    expect(await baton.userInfo(mallory.access_token)).toMatchObject({
      status: 401,
    });
    const ivy = await baton.login("portal", "ivy", person);
    const first = await baton.expectRefresh("portal", ivy.refresh_token);
    const ofHook = { roles: ["of the hook"] };
    const before = oldKnows ? ofHook : claims;
    expect(contentOf(first.access_token)).toMatchObject(before);

    await server.start({ front: today, objects: today, hook });
    const next = await baton.expectRefresh("portal", first.refresh_token);
    expect(contentOf(next.access_token)).toMatchObject(ofHook);
  });
});

interface Post {
  url: string;
  logout_token: string;
}

/** Lets a client be told of a logout. @returns what it gets first */
function postsTo(server: TwoWorkers): { first: Promise<Post> } {
  const { promise: first, resolve } = Promise.withResolvers<Post>();
  server.internet = async (request) => {
    const form = new URLSearchParams(await request.text());
    resolve({ url: request.url, logout_token: form.get("logout_token") ?? "" });
    return new Response();
  };
  return { first };
}
