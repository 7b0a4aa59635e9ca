import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { rewriteClient } from "../../support/records.ts";
import { server, serverWith } from "../../support/server.ts";

/**
 * Tests that the audience of an ID token, which is the id of its client, is not the audience of an API: one that does
 * not look at `typ` would take the ID token for an access token, and an app the access token for an ID token.
 */

const scope = "openid read";

beforeAll(() => server.makeScopes("openid", "read"));

function register(metadata: object, to = server): Promise<Response> {
  return to.admin("POST", "/clients", metadata);
}

const refused = (what: string) => ({
  scope: expect.stringMatching(
    new RegExp(`openid.*client_id.*${what}.*another client_id`),
  ) as string,
});

/** An id that is a resource too. */
const newApi = () => `https://${crypto.randomUUID()}.example.com`;

describe("a client with openid must not have as its client_id", () => {
  it("the issuer or AUDIENCE, in any spelling", async () => {
    const audience = newApi();
    const to = serverWith({ AUDIENCE: audience });
    for (const [client_id, what] of [
      [env.ISSUER, "the issuer"],
      [`${env.ISSUER}/`, "the issuer"],
      [audience, "AUDIENCE"],
      [audience.toUpperCase().replace("HTTPS", "https"), "AUDIENCE"],
    ] as const)
      expect(
        await fieldErrors(await register({ client_id, scope }, to)),
      ).toEqual(refused(what));
  });

  it("its own resource_server, or one of its own resources", async () => {
    const client_id = newApi();
    const ofServer = { client_id, scope, resource_server: client_id };
    expect(await fieldErrors(await register(ofServer))).toEqual(
      refused("resource_server"),
    );
    const resources = ["https://api.example.com", `${client_id}/`];
    const ofResources = { client_id, scope, resources };
    expect(await fieldErrors(await register(ofResources))).toEqual(
      refused("resources"),
    );
  });

  it("but may have any other, and without openid any at all", async () => {
    const client_id = newApi();
    const resources = ["https://api.example.com"];
    const good = [
      { client_id, scope, resources },
      { client_id: env.ISSUER, scope: "read" },
      { client_id: newApi(), scope: "", resource_server: client_id },
    ];
    for (const metadata of good)
      expect((await register(metadata)).status).toBe(201);
  });
});

describe("a change that makes it so", () => {
  it("is refused: openid, a resource or a resource_server is added", async () => {
    const client_id = newApi();
    const path = `/clients/${client_id.replaceAll("/", "%2F")}`;
    await server.makeClient({ client_id, scope: "read" });
    const patch = (changes: object) => server.admin("PATCH", path, changes);
    expect((await patch({ resources: [client_id] })).status).toBe(200);
    expect(await fieldErrors(await patch({ scope }))).toEqual(
      refused("resources"),
    );
    expect((await patch({ resources: [], scope })).status).toBe(200);
    for (const changes of [
      { resource_server: client_id },
      { resources: [client_id] },
    ])
      expect(await fieldErrors(await patch(changes))).toEqual(
        refused(Object.keys(changes).join()),
      );
  });

  it("is not every other change of a record that is so already", async () => {
    const client_id = newApi();
    const path = `/clients/${client_id.replaceAll("/", "%2F")}`;
    const client = await server.makeClient({ client_id, scope });
    await rewriteClient(client, { resources: [client_id] });
    const at = serverWith({});
    for (const changes of [
      { client_name: "Notes" },
      { scope: "read openid" },
      { resources: [client_id, "https://api.example.com"] },
    ])
      expect((await at.admin("PATCH", path, changes)).status).toBe(200);
  });
});
