import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { told } from "../support/refusals.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/** Tests how `resource` is compared (RFC 8707, RFC 3986 section 6.2.3), and that `aud` is as registered. */

const api = "https://api.example.com";
const files = "https://files.example.com/v1";
const refused = [400, "invalid_target", "resource_not_allowed"];

/** The registered spelling, and another one. */
type Pair = [registered: string, sent: string];

const same: Pair[] = [
  [api, `${api}/`],
  [`${api}/`, api],
  [api, "HTTPS://api.example.com"],
  [api, "https://API.Example.COM"],
  [api, `${api}:443`],
  [api, `${api}:443/`],
  [`${api}:443/`, api],
  [api, `${api}:`],
  [api, `${api}:/`],
  [api, "hTTps://API.EXAMPLE.com:443/"],
  ["HTTPS://API.example.com:443/", api],
  [files, "https://FILES.example.com:443/v1"],
  [`${api}/?tenant=A`, `${api}?tenant=A`],
  [`${api}:8443`, `${api}:8443/`],
  ["http://localhost:80/mcp", "http://LOCALHOST/mcp"],
  ["http://localhost:3000", "http://localhost:3000/"],
  ["https://[2001:db8::A]:8443/", "https://[2001:DB8::a]:8443"],
  ["https://user@api.example.com", "https://user@API.example.com/"],
  ["urn:example:api", "URN:example:api"],
  ["api://5f2c-AB/read", "API://5F2C-ab/read"],
  // The rule for an empty path and an empty port is for every scheme with an authority.
  ["api://app", "api://app/"],
  ["api://app/", "API://APP"],
  ["api://app/?tenant=A", "api://app?tenant=A"],
  ["api://app:8443/", "api://app:8443"],
  ["api://app", "api://app:"],
  ["ws://events.example.com", "ws://events.example.com:80/"],
  ["wss://events.example.com:443/", "WSS://events.example.com"],
  ["wss://events.example.com/v1", "wss://events.example.com:443/v1"],
];

const different: Pair[] = [
  [api, "http://api.example.com"],
  [api, "https://api.example.com.evil.example"],
  [api, "https://evil.example"],
  // Path, query and fragment.
  [api, `${api}//`],
  [api, `${api}/x`],
  [api, `${api}/.`],
  [api, `${api}/./`],
  [api, `${api}/x/..`],
  [api, `${api}/%2F`],
  [api, `${api}?`],
  [api, `${api}/?`],
  [api, `${api}#`],
  [api, `${api}/#x`],
  [files, `${files}/`],
  [files, "https://files.example.com/V1"],
  [files, "https://files.example.com/%761"],
  [files, "https://files.example.com//v1"],
  [files, "https://files.example.com/x/../v1"],
  [files, "https://files.example.com/v1/."],
  [files, `${files}?`],
  [files, "https://files.example.com"],
  [`${api}/?tenant=A`, `${api}/?tenant=a`],
  [`${api}/?tenant=A`, `${api}/`],
  // Host and port.
  [api, `${api}.`],
  [api, `${api}:80`],
  [api, `${api}:0443`],
  [api, `${api}:4430`],
  [api, `${api}:443x`],
  [api, `${api}:443:443`],
  ["http://localhost", "http://localhost:443"],
  [`${api}:8443`, api],
  [api, "https://api%2Eexample.com"],
  [api, "https://%61pi.example.com"],
  [api, "https://api。example.com"],
  [api, "https://ａpi.example.com"],
  [api, "https://api.example.com\u00ad"],
  ["https://kit.example.com", "https://\u212ait.example.com"],
  ["https://xn--bcher-kva.example", "https://bücher.example"],
  ["https://127.0.0.1", "https://127.1"],
  ["https://127.0.0.1", "https://2130706433"],
  ["https://[2001:db8::a]", "https://[2001:db8:0::a]"],
  // User information.
  [api, "https://user@api.example.com"],
  [api, "https://@api.example.com"],
  [api, "https://:@api.example.com"],
  [api, "https://api.example.com@evil.example"],
  [api, "https://api.example.com:443@evil.example"],
  [api, "https://evil.example@api.example.com"],
  ["https://user@api.example.com", "https://USER@api.example.com"],
  // Text that a browser's parser takes for the same URL.
  [api, "https:/api.example.com"],
  [api, "https:api.example.com"],
  [api, "https:///api.example.com"],
  [api, "https:\\\\api.example.com"],
  [api, "https://api.example.com\\"],
  [api, "https://evil.example\\@api.example.com"],
  [api, "//api.example.com"],
  [api, "api.example.com"],
  [api, " https://api.example.com"],
  [api, "https://api.example.com "],
  [api, "https://api.exam\tple.com"],
  [api, "https://api.example.com\n"],
  [api, "https://api.example.com/\n"],
  [api, "\nhttps://api.example.com"],
  [api, "https://api.example.com\0"],
  [api, "http\u017f://api.example.com"],
  // Of other schemes.
  ["urn:example:api", "urn:EXAMPLE:api"],
  ["urn:example:api", "urn:example:API"],
  ["urn:example:api", "urn:example:api/"],
  ["api:app", "api:app/"],
  ["api:", "api:/"],
  ["api:/", "api://"],
  ["api://app", "api://app//"],
  ["api://app", "api://app/?"],
  ["api://app", "api://app:80"],
  ["api://app", "api://app:443"],
  ["api://app/read", "api://app/read/"],
  ["api://app/read", "api://app/Read"],
  ["api://app", "api:app"],
  ["api://app", "api:/app"],
  ["ws://events.example.com", "ws://events.example.com:443"],
  ["wss://events.example.com", "wss://events.example.com:80"],
  ["wss://events.example.com", "ws://events.example.com:443"],
  ["wss://events.example.com", "https://events.example.com"],
];

function makeServiceClient(resources: string[]): Promise<TestClient> {
  const grant_types = ["client_credentials", "refresh_token"];
  return server.makeClient({ grant_types, resources });
}

const made = new Map<string, Promise<TestClient>>();

/** One client for each registered spelling. It has another resource as well, so that it has no only one. */
function clientFor(uri: string): Promise<TestClient> {
  const client =
    made.get(uri) ?? makeServiceClient([uri, "https://other.example"]);
  made.set(uri, client);
  return client;
}

function askForItself(
  { client_id, client_secret }: TestClient,
  ...resources: string[]
): Promise<Response> {
  return server.token([
    ["grant_type", "client_credentials"],
    ["client_id", client_id],
    ["client_secret", client_secret],
    ...resources.map((uri) => ["resource", uri]),
  ]);
}

async function audienceOf(response: Response | Promise<Response>) {
  const { access_token } = await expectTokens(await response);
  return decodeJwt(access_token).aud;
}

async function setResources(
  { client_id }: TestClient,
  resources: string[],
): Promise<void> {
  await server.expectAdmin("PATCH", `/clients/${client_id}`, { resources });
}

async function isActive(asking: TestClient, token: string): Promise<unknown> {
  const response = await server.about("/introspect", asking, token);
  const { active } = await response.json<{ active: unknown }>();
  return active;
}

describe("a resource", () => {
  it.each(same)("registered as %j may be sent as %j", async (uri, sent) => {
    const client = await clientFor(uri);
    expect(await audienceOf(askForItself(client, sent))).toBe(uri);
  });

  it.each(different)(
    "registered as %j is invalid_target if it is sent as %j",
    async (uri, sent) => {
      const client = await clientFor(uri);
      expect(await refusal(await askForItself(client, sent))).toEqual(refused);
      const beside = await askForItself(client, uri, sent);
      expect(await refusal(beside)).toEqual(refused);
    },
  );

  it("that is sent in two spellings is one audience", async () => {
    const client = await makeServiceClient([api, files]);
    expect(await audienceOf(askForItself(client, `${api}/`, api))).toBe(api);
    const three = askForItself(client, `${api}:443`, files, `${api}/`);
    expect(await audienceOf(three)).toEqual([api, files]);
  });

  it("that is registered in two spellings is the exact one, else the first, and never both", async () => {
    const client = await makeServiceClient([`${api}/`, api, files]);
    expect(await audienceOf(askForItself(client, api))).toBe(api);
    expect(await audienceOf(askForItself(client, `${api}/`))).toBe(`${api}/`);
    expect(await audienceOf(askForItself(client, `${api}:443`))).toBe(
      `${api}/`,
    );
    expect(await audienceOf(askForItself(client, api, `${api}/`))).toBe(api);
  });
});

describe("a login", () => {
  const clientOf = (resources: string[]) => makeWebClient({ resources });

  it("may name a resource in another spelling at every door", async () => {
    const client = await clientOf([api, files]);
    const request = await requestAtLogin(client, { resource: `${api}:443/` });
    const shown = await server.expectAdmin<{ resource: string[] }>(
      "GET",
      `/authorizations?${new URLSearchParams({ request }).toString()}`,
    );
    expect(shown.resource).toEqual([api]);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    const response = await redeem(client, code, { resource: `${api}/` });
    const first = await expectTokens(response);
    expect(decodeJwt(first.access_token).aud).toBe(api);
    const next = await server.expectRefresh(client, first.refresh_token, {
      resource: "https://API.example.com",
    });
    expect(decodeJwt(next.access_token).aud).toBe(api);
    const granted = await server.login(client, {
      resource: [`${api}/`, api, files.replace(".com", ".COM")],
    });
    expect(decodeJwt(granted.access_token).aud).toEqual([api, files]);
  });

  it("that named none may choose in another spelling, among what it remembers", async () => {
    const client = await clientOf([api, files]);
    const code = await obtainCode(client);
    const chosen = await redeem(client, code, { resource: `${api}/` });
    const first = await expectTokens(chosen);
    expect(decodeJwt(first.access_token).aud).toBe(api);
    await setResources(client, [api, files, "https://later.example"]);
    const later = await server.refresh(client, first.refresh_token, {
      resource: "https://later.example/",
    });
    expect(await refusal(later)).toEqual(refused);
    await server.expectRefresh(client, first.refresh_token, {
      resource: `${api}/`,
    });
  });

  it.each([
    "https://api.example.com/..",
    "https://user@api.example.com",
    "https:api.example.com",
  ])(
    "cannot begin for %j, at /authorize or by the admin API",
    async (resource) => {
      const client = await clientOf([api]);
      expect(told(await authorize(client, { resource }))).toMatchObject([
        { error: "invalid_target" },
        "resource_not_allowed",
      ]);
      const body = { client_id: client.client_id, subject: "alice", resource };
      const granted = await server.admin("POST", "/grants", body);
      expect(await refusal(granted)).toEqual(refused);
    },
  );

  it("that was narrowed cannot be widened by another spelling", async () => {
    const client = await clientOf([api, files]);
    const login = await server.login(client, { resource: api });
    const wider = await server.refresh(client, login.refresh_token, {
      resource: files.replace("files", "FILES"),
    });
    expect(await refusal(wider)).toEqual(refused);
    const code = await obtainCode(client, { resource: `${api}/` });
    const byCode = await redeem(client, code, { resource: files });
    expect(await refusal(byCode)).toEqual(refused);
  });

  it("follows its client's record to another spelling, whether it named the resource or chooses it", async () => {
    const client = await clientOf([api, files]);
    const named = await server.login(client, { resource: api });
    const choosing = await server.login(client);
    await setResources(client, [`${api}/`, files]);
    for (const resource of [[], [["resource", api]]]) {
      const { access_token } = await server.expectRefresh(
        client,
        (await server.login(client, { resource: api })).refresh_token,
        resource,
      );
      expect(decodeJwt(access_token).aud).toBe(`${api}/`);
    }
    const next = await server.expectRefresh(client, named.refresh_token);
    expect(decodeJwt(next.access_token).aud).toBe(`${api}/`);
    const chosen = await server.expectRefresh(client, choosing.refresh_token, {
      resource: api,
    });
    expect(decodeJwt(chosen.access_token).aud).toBe(`${api}/`);
    await setResources(client, [files]);
    const lost = await server.refresh(client, next.refresh_token);
    expect(await refusal(lost)).toEqual(refused);
  });

  it("that is on its way follows the record, too", async () => {
    const client = await clientOf([api, files]);
    const request = await requestAtLogin(client, { resource: api });
    await setResources(client, [`${api}/`, files]);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    await setResources(client, [`${api}:443`, files]);
    expect(await audienceOf(redeem(client, code))).toBe(`${api}:443`);
  });
});

describe("introspection", () => {
  it("tells a resource server of tokens whose audience is its own in another spelling, and of no others", async () => {
    const client = await makeServiceClient([api, files]);
    const { access_token } = await expectTokens(
      await askForItself(client, api),
    );
    const login = await server.login(client, { resource: api });
    const chosen = await server.expectRefresh(
      client,
      (await server.login(client)).refresh_token,
      { resource: api },
    );
    const tokens = [
      access_token,
      login.access_token,
      chosen.access_token,
    ] as const;
    for (const [resource_server, active] of [
      [`${api}/`, true],
      ["https://API.example.com:443", true],
      [`${api}/x`, false],
      [`${api}:80`, false],
      ["https://user@api.example.com", false],
      [files, false],
    ] as const) {
      const asking = await server.makeClient({ resource_server });
      for (const token of tokens)
        expect(await isActive(asking, token), resource_server).toBe(active);
    }
  });

  it("goes on after the record got another spelling, and ends when the resource is lost", async () => {
    const client = await makeServiceClient([api, files]);
    const own = await expectTokens(await askForItself(client, api));
    const named = await server.login(client, { resource: api });
    const chosen = await server.expectRefresh(
      client,
      (await server.login(client)).refresh_token,
      { resource: api },
    );
    const tokens = [own, named, chosen].map((one) => one.access_token);
    await setResources(client, [`${api}/`, files]);
    for (const token of tokens)
      expect(await isActive(client, token)).toBe(true);
    await setResources(client, [`${api}/x`, files]);
    for (const token of tokens)
      expect(await isActive(client, token)).toBe(false);
  });

  it("compares AUDIENCE in the same way", async () => {
    const client = await makeServiceClient([]);
    const before = serverWith({ AUDIENCE: api });
    const { access_token } = await before.login(client);
    const ask = async (AUDIENCE: string) => {
      const to = serverWith({ AUDIENCE });
      const answer = await to.about("/introspect", client, access_token);
      return answer.json();
    };
    expect(await ask(`${api}/`)).toMatchObject({ active: true, aud: api });
    expect(await ask(files)).toEqual({ active: false });
  });
});
