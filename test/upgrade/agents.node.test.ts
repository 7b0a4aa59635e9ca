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
  AGENT_URL,
  agentVariables,
  agentWebsite,
  asked,
  consent,
  FILES,
  makeResources,
  NOTES,
  NOTES_AUDIENCE,
  signIn,
} from "./scenario-agents.ts";
import { LOGIN_ENDS, partsOf } from "./refresh-token-parts.ts";
import { contentOf } from "./scenario-openid.ts";
import { Session, type Tokens } from "./session.ts";
import { TwoWorkers } from "./two-workers.ts";

/** Agents and protected resources, as each version has stored them, and while a deploy or a rollback is on its way. */

const invalidGrant = { status: 400, body: { error: "invalid_grant" } };
const unknownClient = { status: 401, body: { error: "invalid_client" } };
const tryAgain = { status: 503, body: { error: "temporarily_unavailable" } };

const today = inject("today");

/** Expects what the catalogue says of the tokens for the notes. */
function expectForNotes({ access_token }: Tokens) {
  expect(contentOf(access_token)).toMatchObject({
    aud: NOTES_AUDIENCE,
    scope: expect.stringMatching(/^notes:read( offline_access)?$/),
  });
}

const withAgents = keptVersions.filter(
  (version) => "agent_refresh" in keptRecords(version).in_flight,
);

describe.each(withAgents)("what version %s has stored", (version) => {
  const { made_at, in_flight, ...stored } = keptRecords(version);
  const inFlight = (name: string) => in_flight[name]!.join("");
  const registered = inFlight("registered_id");
  const server = new TwoWorkers();
  const baton = new Session(server, [registered, inFlight("blocked_id")]);
  const variables = agentVariables;
  let shift: number;

  beforeAll(async () => {
    // A second later, because a code is good for a minute.
    shift = made_at + 1000 - Date.now();
    await server.start({ front: today, objects: today, variables }, shift);
    await server.load(stored);
  });
  afterAll(() => server.stop());

  it.each([
    ["agent", AGENT_URL],
    ["registered", registered],
  ])("a code and a request have their resource (%s)", async (name, client) => {
    const code = inFlight(`${name}_code`);
    expectForNotes(await baton.expectRedeem(client, code));
    const request = inFlight(`${name}_request`);
    expect(
      await baton.admin("POST", "/authorizations", { request, subject: "eve" }),
    ).toMatchObject({ status: 400 });
    const agreed = await baton.decide(request, "eve", consent);
    const tokens = await baton.expectRedeem(client, agreed);
    expectForNotes(tokens);
    expect(tokens).toHaveProperty("refresh_token");
  });

  // Nobody answers at the agent's website.
  it.each([
    ["of a metadata document", AGENT_URL, "agent_refresh"],
    ["that registered itself", registered, "registered_refresh"],
    ["with resources in its record", "assistant", "assistant_refresh"],
  ])("a login at a client %s goes on", async (_, client, name) => {
    const first = await baton.expectRefresh(client, inFlight(name));
    expectForNotes(first);
    const next = await baton.expectRefresh(client, first.refresh_token);
    expectForNotes(next);
    expect(next).toMatchObject({
      refresh_token_timeout: expect.any(Number) as number,
      authorization_expires_in: expect.any(Number) as number,
    });
  });

  it("a registration is read by its client, and blocked if an operator said so", async () => {
    const token = inFlight("registration_token");
    expect(await baton.readRegistration(registered, token)).toMatchObject({
      status: 200,
      body: { client_id: registered, client_name: "An agent" },
    });
    expect(
      await baton.refresh(inFlight("blocked_id"), inFlight("blocked_refresh")),
    ).toMatchObject({ status: 401 });
  });

  it("the catalogue of resources is complete", async () => {
    const { resources } = await baton.expectAdmin("GET", "/resources");
    expect(resources).toEqual([
      {
        resource: NOTES,
        name: "Notes",
        scope: "notes:read notes:write",
        audience: NOTES_AUDIENCE,
        access_token_ttl: "P40Y",
        self_registered_clients: true,
      },
      {
        resource: FILES,
        scope: "files:read",
        access_token_format: "league",
        self_registered_clients: false,
      },
    ]);
  });

  it("an initial access token registers a client, and does nothing else", async () => {
    const token = inFlight("initial_access_token");
    const ofTokens = { ...variables, DYNAMIC_REGISTRATION: "token" };
    const pair = { front: today, objects: today, variables: ofTokens };
    await server.start(pair, shift);
    expect(await baton.register()).toMatchObject({ status: 401 });
    expect(await baton.register(token)).toMatchObject({ status: 201 });
    expect(await baton.admin("GET", "/scopes", undefined, token)).toMatchObject(
      { status: 403 },
    );
  });

  it("a refresh token says why it has expired", async () => {
    await server.start(
      { front: today, objects: today, variables },
      shift + 180_000,
    );
    const describedAs = (text: string) => ({
      status: 400,
      body: {
        error: "invalid_grant",
        error_description: expect.stringContaining(text) as string,
      },
    });
    expect(await baton.refresh("idle", inFlight("idle_refresh"))).toMatchObject(
      describedAs("not used within refresh_token_timeout"),
    );
    expect(await baton.refresh("aged", inFlight("aged_refresh"))).toMatchObject(
      describedAs("lasted"),
    );
  });
});

describe.each(neighbours)("version %s and the code of today", (version) => {
  const old = keptWorker(version);
  const oldKnows = withAgents.includes(version);
  const variables = agentVariables;
  let server: TwoWorkers;
  let baton: Session;
  beforeEach(() => {
    server = new TwoWorkers();
    server.internet = agentWebsite;
    baton = new Session(server);
  });
  afterEach(() => server.stop());

  it("today's Worker works with that version's objects, or says that it must be tried again", async () => {
    await server.start({ front: today, objects: old, variables });
    await makeResources(baton);
    let ann = await signIn(baton, AGENT_URL, "ann");
    expectForNotes(ann);
    await baton.untilKept(AGENT_URL);
    ann = await baton.expectRefresh(AGENT_URL, ann.refresh_token);
    expectForNotes(ann);
    // Only newer objects say when the login ends.
    expect(Object.hasOwn(ann, "authorization_expires_in")).toBe(oldKnows);
    expect(await baton.register()).toMatchObject(
      oldKnows ? { status: 201 } : tryAgain,
    );

    await server.start({ front: today, objects: today, variables });
    ann = await baton.expectRefresh(AGENT_URL, ann.refresh_token);
    expectForNotes(ann);
    const { status, body } = await baton.register();
    expect(status).toBe(201);
    expectForNotes(await signIn(baton, String(body["client_id"]), "ben"));
  });

  it("logins come through a rollback. A client that came by itself is unknown to a version without consent", async () => {
    await server.start({ front: today, objects: today, variables });
    await makeResources(baton);
    const { body } = await baton.register();
    const registered = String(body["client_id"]);
    const agents = new Map([
      [AGENT_URL, await signIn(baton, AGENT_URL, "ann")],
      [registered, await signIn(baton, registered, "ben")],
    ]);
    await baton.untilKept(AGENT_URL);
    let cleo = await baton.expectRedeem(
      "assistant",
      await baton.codeFor("assistant", "cleo", { resource: NOTES }),
    );
    const { token: ofSignIn } = await baton.expectAdmin<{ token: string }>(
      "POST",
      "/tokens",
      { name: "sign-in-page", role: "login" },
    );
    const { token: ofAgents } = await baton.expectAdmin<{ token: string }>(
      "POST",
      "/tokens",
      { name: "agents", role: "register" },
    );

    const stages = [
      { front: old, objects: today, variables },
      { front: old, objects: old, variables },
      { front: today, objects: old, variables },
      { front: today, objects: today, variables },
    ];
    for (const pair of stages) {
      await server.start(pair);
      const knows = oldKnows || pair.front === today;
      cleo = await baton.expectRefresh("assistant", cleo.refresh_token);
      if (knows) expectForNotes(cleo);
      for (const [client, { refresh_token }] of agents) {
        const answer = await baton.refresh(client, refresh_token);
        expect(answer).toMatchObject(knows ? { status: 200 } : unknownClient);
        if (knows) agents.set(client, answer.body as unknown as Tokens);
        else await expectNoSignIn(client);
      }
      // A token with a role that the version does not know does not lock the others out.
      expect(await signInPageAsks(ofSignIn)).toMatchObject({ status: 400 });
      expect(await signInPageAsks(ofAgents)).toMatchObject({
        status: knows ? 403 : 401,
      });
    }
    for (const tokens of agents.values()) expectForNotes(tokens);
  });

  it("a change by that version leaves the catalogue of resources, and a client that came by itself does not become an administrator's", async () => {
    await server.start({ front: today, objects: today, variables });
    await makeResources(baton);
    const { body } = await baton.register();
    const registered = String(body["client_id"]);
    const path = `/clients/${registered}`;
    const ben = await signIn(baton, registered, "ben");
    const catalogue = await baton.expectAdmin("GET", "/resources");

    await server.start({ front: old, objects: old, variables });
    await baton.expectAdmin("PATCH", path, { client_name: "Renamed" });
    await baton.expectAdmin("PUT", "/scopes/extra", { description: "Extra" });
    await server.start({ front: today, objects: today, variables });
    expect(await baton.expectAdmin("GET", "/resources")).toEqual(catalogue);
    const client = await baton.expectAdmin("GET", path);
    const answer = await baton.refresh(registered, ben.refresh_token);
    if (oldKnows) {
      expect(client).toMatchObject({ registered_by: "dynamic_registration" });
      expectForNotes(answer.body as unknown as Tokens);
      return;
    }
    // The record has lost what that version does not know, so it does not end. It is disabled.
    expect(client).not.toHaveProperty("registered_by");
    expect(client).toMatchObject({ disabled_at: 0, scope: "", resources: [] });
    expect(answer).toMatchObject(unknownClient);
    const { kv } = await server.dump();
    expect(kv[`client:${registered}`]).not.toHaveProperty("expiration");
  });

  it("a refresh token says why it expires, and is good in every version until then", async () => {
    await server.start({ front: today, objects: today });
    await baton.makeClient("app", { scope: "" });
    await baton.makeClient("idle", { scope: "", refresh_token_ttl: "PT2M" });
    const idle = await baton.login("idle", "dora");
    const code = await baton.codeFor("app", "ann");
    const made = await baton.expectRedeem("app", code);
    expect(partsOf(made.refresh_token)).toMatchObject({ reason: LOGIN_ENDS });

    await server.start({ front: old, objects: old }, 180_000);
    // Version 0.3.0 reads another expiry. The family refuses the token.
    expect(await baton.refresh("idle", idle.refresh_token)).toMatchObject(
      invalidGrant,
    );
    const next = await baton.expectRefresh("app", made.refresh_token);
    expect(partsOf(next.refresh_token)).toMatchObject({
      reason: oldKnows ? LOGIN_ENDS : 0,
      generation: 2,
    });

    await server.start({ front: today, objects: old }, 180_000);
    const last = await baton.expectRefresh("app", next.refresh_token);
    expect(partsOf(last.refresh_token)).toMatchObject({ generation: 3 });
    expect(await baton.refresh("app", made.refresh_token)).toMatchObject(
      invalidGrant,
    );
  });

  /** Expects that the server shows no sign-in page for a client. */
  async function expectNoSignIn(client_id: string) {
    await expect(baton.authorize(client_id, asked)).rejects.toThrow(
      "Invalid URL",
    );
  }

  /** Sends a decision, with a request that is none. */
  function signInPageAsks(token: string) {
    const decision = { request: "none", subject: "ann" };
    return baton.admin("POST", "/authorizations", decision, token);
  }
});
