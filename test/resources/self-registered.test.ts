import { beforeEach, describe, expect, it, vi } from "vitest";
import { authorize, obtainCode, redeem } from "../support/authorization.ts";
import { shown } from "../support/refusals.ts";
import {
  deleteResource,
  putResource,
  signIn,
  targetOf,
} from "../support/resources.ts";
import { rewriteClient } from "../support/records.ts";
import { makeRegisteredClient } from "../support/self-registered.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** What the catalogue of resources allows a client that registered itself, and that may be a thief's. */

let open: string;
let closed: string;
/** The scopes of the two, by names of this test alone, because the catalogue stays between tests. */
let tools: string;
let secrets: string;

beforeEach(async () => {
  const { resources } = await server.expectAdmin<{
    resources: { resource: string }[];
  }>("GET", "/resources");
  for (const { resource } of resources) await deleteResource(resource);
  const id = crypto.randomUUID();
  [tools, secrets] = [`tools:${id}`, `secrets:${id}`];
  [open, closed] = [
    `https://open.example.com/${id}`,
    `https://closed.example.com/${id}`,
  ];
  await putResource(open, { scope: tools, self_registered_clients: true });
  await putResource(closed, { scope: secrets, audience: `urn:closed:${id}` });
});

/** Such a client, whose record has nothing. The server is of an isolate that has not read the catalogue. */
function makeAgent() {
  return makeRegisteredClient({ scope: "", resources: [] });
}

const notAllowed = [400, "invalid_target", "resource_not_allowed"];

describe("a client that registered itself", () => {
  it("gets a token for a resource that is open, and the scopes of this resource only", async () => {
    const agent = await makeAgent();
    const tokens = await signIn(agent, {
      resource: open,
      scope: `${tools} ${secrets}`,
    });
    expect(targetOf(tokens)).toMatchObject({ aud: open, scope: tools });
    const next = await server.expectRefresh(agent, tokens.refresh_token);
    expect(targetOf(next)).toMatchObject({ aud: open, scope: tools });
  });

  it("gets the only one that is open if it names none, and the login is for this one", async () => {
    const agent = await makeAgent();
    const tokens = await signIn(agent);
    expect(targetOf(tokens)).toMatchObject({ aud: open, scope: tools });
    await putResource(`${open}/second`, { self_registered_clients: true });
    const next = await server.expectRefresh(agent, tokens.refresh_token);
    expect(targetOf(next)).toMatchObject({ aud: open, scope: tools });
    const other = await server.refresh(agent, next.refresh_token, {
      resource: `${open}/second`,
    });
    expect(await refusal(other)).toEqual(notAllowed);
  });

  it("may ask for what was opened, and not for what was closed, from the next sign-in on", async () => {
    const agent = await makeAgent();
    // A server of an isolate of its own, which has a copy of the catalogue.
    const far = serverWith({ REGISTRATIONS_PER_DAY: "77" });
    const named = { resource: open };
    expect((await authorize(agent, named, far)).status).toBe(303);
    const start = Date.now();
    const clock = vi.spyOn(Date, "now");
    try {
      await putResource(open, { self_registered_clients: false });
      clock.mockReturnValue(start + 2_000);
      expect(await shown(await authorize(agent, named, far))).toEqual(
        notAllowed,
      );
      await putResource(open, { self_registered_clients: true });
      clock.mockReturnValue(start + 4_000);
      expect((await authorize(agent, named, far)).status).toBe(303);
    } finally {
      clock.mockRestore();
    }
  });

  it("must name one if several are open or none is", async () => {
    const agent = await makeAgent();
    await putResource(`${open}/second`, { self_registered_clients: true });
    const refused = [400, "invalid_target", "resource_missing"];
    expect(await shown(await authorize(agent))).toEqual(refused);
    await deleteResource(open);
    await deleteResource(`${open}/second`);
    expect(await shown(await authorize(agent))).toEqual(refused);
  });

  it.each(["its URI", "its audience"])(
    "gets nothing for a resource that is closed, by %s",
    async (how) => {
      const agent = await makeAgent();
      const resource =
        how === "its URI" ? closed : closed.replace(/.*\//, "urn:closed:");
      expect(await shown(await authorize(agent, { resource }))).toEqual(
        notAllowed,
      );
      const code = await obtainCode(
        agent,
        { resource: open },
        { subject: "alice", consent: true },
      );
      expect(await refusal(await redeem(agent, code, { resource }))).toEqual(
        notAllowed,
      );
      // Nothing is consumed.
      expect((await redeem(agent, code)).status).toBe(200);
    },
  );

  it("gets no scope of a resource that is closed, nor one of no resource", async () => {
    await server.makeScopes("free");
    const agent = await makeAgent();
    for (const scope of [secrets, "free"])
      expect(
        await shown(await authorize(agent, { resource: open, scope })),
      ).toEqual([400, "invalid_scope", "scope_none_left"]);
  });

  it("can neither widen a login nor use up its token by asking for too much at a refresh", async () => {
    const agent = await makeAgent();
    let { refresh_token } = await signIn(agent, { resource: open });
    for (const [more, reason] of [
      [{ resource: closed }, notAllowed],
      [{ scope: secrets }, [400, "invalid_scope", "scope_not_granted"]],
    ] as const)
      expect(
        await refusal(await server.refresh(agent, refresh_token, more)),
      ).toEqual(reason);
    ({ refresh_token } = await server.expectRefresh(agent, refresh_token));
    await server.expectRefresh(agent, refresh_token);
  });

  it("loses a resource that is closed after the login, and nothing is consumed meanwhile", async () => {
    const agent = await makeAgent();
    const { refresh_token } = await signIn(agent, { resource: open });
    await putResource(open, { self_registered_clients: false });
    expect(
      await refusal(await serverWith({}).refresh(agent, refresh_token)),
    ).toEqual([400, "invalid_scope", "scope_all_lost"]);
    await putResource(open, { self_registered_clients: true });
    await serverWith({}).expectRefresh(agent, refresh_token);
  });

  it("has a token that is no longer active when its resource is closed", async () => {
    const agent = await makeAgent();
    const { access_token } = await signIn(agent, { resource: open });
    const api = await server.makeClient({ resource_server: open });
    const isActive = async () => {
      const response = await serverWith({}).about(
        "/introspect",
        api,
        access_token,
      );
      return (await response.json<{ active: boolean }>()).active;
    };
    expect(await isActive()).toBe(true);
    await putResource(open, { self_registered_clients: false });
    expect(await isActive()).toBe(false);
  });

  it("cannot refresh a login that began for no resource, and it is not consumed", async () => {
    const agent = await makeRegisteredClient({
      registered_by: undefined,
      scope: tools,
      resources: [],
    });
    const { refresh_token } = await server.login(agent);
    await rewriteClient(agent, { registered_by: "dynamic_registration" });
    const later = serverWith({});
    expect(await refusal(await later.refresh(agent, refresh_token))).toEqual([
      400,
      "invalid_target",
      "resource_missing",
    ]);
    await rewriteClient(agent, { registered_by: undefined });
    await serverWith({}).expectRefresh(agent, refresh_token);
  });
});
