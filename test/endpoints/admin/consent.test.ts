import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { DOCUMENTS_ON } from "../../support/agent-site.ts";
import {
  decide,
  makeWebClient,
  obtainCode,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../../support/authorization.ts";
import { server, serverWith } from "../../support/server.ts";
import {
  makeDocumentClient,
  makeRegisteredClient,
  RESOURCE,
  withDocuments,
  writeResources,
} from "../../support/self-registered.ts";

/** Tests what a login learns of a client that has registered itself, and that its user must have agreed. */

beforeAll(() => server.makeScopes("read", "write"));

const requestOf = (client: { client_id: string }) =>
  requestAtLogin(client, { resource: RESOURCE }, withDocuments);

async function described(
  client: { client_id: string },
  redirect_uri = REDIRECT_URI,
  to = withDocuments,
): Promise<Record<string, unknown>> {
  const more = { redirect_uri, resource: RESOURCE };
  const request = await requestAtLogin(client, more, to);
  const query = new URLSearchParams({ request }).toString();
  return to.expectAdmin("GET", `/authorizations?${query}`);
}

describe("the description of a client that has registered itself", () => {
  it("has the host of its document, and the host to which the browser goes", async () => {
    const client = await makeDocumentClient();
    expect(await described(client)).toEqual({
      client_id: client.client_id,
      client_name: "An agent",
      registered_by: "metadata_document",
      client_host: "agent.example.com",
      redirect_uri: REDIRECT_URI,
      redirect_host: "app.example.com",
      redirect_is_loopback: false,
      needs_consent: true,
      scopes: [
        { scope: "read", description: "May read" },
        { scope: "write", description: "May write" },
      ],
      resource: [RESOURCE],
      expires_at: expect.any(Number),
    });
  });

  it("has no host of a document if the client came by dynamic registration, whatever its id looks like", async () => {
    const description = await described(
      await makeRegisteredClient({ client_id: "https://bank.example.com/" }),
    );
    expect(description).toMatchObject({
      registered_by: "dynamic_registration",
      redirect_host: "app.example.com",
      needs_consent: true,
    });
    expect(description).not.toHaveProperty("client_host");
  });

  it.each([
    ["http://127.0.0.1/callback", "http://127.0.0.1:51004/callback"],
    ["http://[::1]/callback", "http://[::1]:51004/callback"],
    ["http://localhost/callback", "http://localhost:51004/callback"],
    ["https://localhost:51004/callback"],
    ["https://127.0.0.2/callback"],
    ["https://0x7f.1/callback"],
    ["https://agent.localhost/callback"],
  ])(
    "says that %s leads to the user's own device",
    async (registered, redirect_uri = registered) => {
      const client = await makeDocumentClient({ redirect_uris: [registered] });
      expect(await described(client, redirect_uri)).toMatchObject({
        client_host: "agent.example.com",
        redirect_host: new URL(redirect_uri).host,
        redirect_is_loopback: true,
      });
    },
  );

  it.each([
    // Another alphabet shows in ASCII.
    ["https://xn--pple-43d.com/callback", "xn--pple-43d.com"],
    ["https://%D0%B0pple.com/callback", "xn--pple-43d.com"],
    ["https://App.Example.COM:8443/callback", "app.example.com:8443"],
    ["https://localhost.example.com/callback", "localhost.example.com"],
    ["https://127.0.0.1.example.com/", "127.0.0.1.example.com"],
  ])("tells the host of %s as %s", async (redirect_uri, redirect_host) => {
    const client = await makeDocumentClient({ redirect_uris: [redirect_uri] });
    expect(await described(client, redirect_uri)).toMatchObject({
      redirect_host,
      redirect_is_loopback: false,
    });
  });

  it("has no host of an app's own scheme, behind which anybody can write any host", async () => {
    const redirect_uri = "evil.app://bank.example.com/callback";
    const client = await makeDocumentClient({ redirect_uris: [redirect_uri] });
    const description = await described(client, redirect_uri);
    expect(description).not.toHaveProperty("redirect_host");
    expect(description).toMatchObject({ redirect_is_loopback: false });
  });

  it("has the name of the resource in the catalogue", async () => {
    const client = await makeDocumentClient();
    await writeResources({ [RESOURCE]: { name: "Your notes" } });
    onTestFinished(() => writeResources({}));
    const to = serverWith(DOCUMENTS_ON);
    expect(await described(client, REDIRECT_URI, to)).toMatchObject({
      resource: [RESOURCE],
      resource_names: { [RESOURCE]: "Your notes" },
    });
  });

  it("is the same by RPC", async () => {
    const request = await requestOf(await makeDocumentClient());
    const query = new URLSearchParams({ request }).toString();
    expect(await exports.Login.describeAuthorization(request)).toEqual(
      await server.expectAdmin("GET", `/authorizations?${query}`),
    );
  });
});

describe("a decision for a client that has registered itself", () => {
  it.each([
    ["a metadata document", makeDocumentClient],
    ["dynamic registration", makeRegisteredClient],
  ])("of %s is refused unless the user has agreed", async (_, make) => {
    const client = await make();
    const request = await requestOf(client);
    const decision = { request, subject: "alice" };
    const refused = await server.admin("POST", "/authorizations", decision);
    const fields = await fieldErrors(refused, "authorization_consent_missing");
    expect(Object.keys(fields)).toEqual(["consent"]);
    expect(fields["consent"]).toMatch(/show .* send true .*consent_required/);

    // The request is as good as before.
    const redirect = await decide(request, { subject: "alice", consent: true });
    const code = redirect.searchParams.get("code") ?? "";
    const tokens = await redeem(client, code, { resource: RESOURCE });
    expect(tokens.status).toBe(200);
  });

  it("is refused by RPC too", async () => {
    const client = await makeDocumentClient();
    const request = await requestOf(client);
    const decision = { request, subject: "alice", scope: "read" };
    expect(await exports.Login.decideAuthorization(decision)).toMatchObject({
      error: "invalid_request",
      fields: { consent: expect.stringMatching(/^is missing/) },
    });
    expect(
      await exports.Login.decideAuthorization({ ...decision, consent: true }),
    ).toEqual({ redirect_to: expect.stringMatching(/[?&]code=/) });
  });

  it.each([false, null, "true", 1])(
    "is refused with %j instead of true",
    async (consent) => {
      const client = await makeDocumentClient();
      const request = await requestOf(client);
      const decision = { request, subject: "alice", consent };
      const refused = await server.admin("POST", "/authorizations", decision);
      const fields = await fieldErrors(refused, "admin_body_invalid");
      expect(fields).toEqual({ consent: "must be true, or left out" });
    },
  );

  it("needs no consent if it is an error, which is not sent together with it", async () => {
    const client = await makeDocumentClient();
    const request = await requestOf(client);
    const error = "consent_required";
    const both = { request, error, consent: true };
    const refused = await server.admin("POST", "/authorizations", both);
    expect(await fieldErrors(refused, "admin_body_invalid")).toEqual({
      error: "must not be sent together with consent",
    });
    const redirect = await decide(request, { error });
    expect(redirect.searchParams.get("error")).toBe(error);
  });
});

it("a decision for a client of an administrator needs no consent, and may have it", async () => {
  const client = await makeWebClient({ scope: "read" });
  for (const more of [{}, { consent: true }]) {
    const code = await obtainCode(client, {}, { subject: "alice", ...more });
    expect((await redeem(client, code)).status).toBe(200);
  }
});
