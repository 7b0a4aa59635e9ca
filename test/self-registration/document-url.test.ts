import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  AgentSite,
  begin,
  DOCUMENTS_ON,
  isFound,
  whyNot,
} from "../support/agent-site.ts";
import { shown } from "../support/refusals.ts";
import { ISSUER, serverWith, type TestServer } from "../support/server.ts";

/** From where metadata documents are read, and from where not. */

let server: TestServer;
let agent: AgentSite;

beforeEach(() => {
  server = serverWith(DOCUMENTS_ON);
  agent = new AgentSite();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("the URL of a metadata document", () => {
  it.each([
    ["https://agent.example", "it must have a path"],
    ["https://agent.example?a=/b", "it must have a path"],
    ["http://agent.example/c.json", "it must begin with https://"],
    [
      "https://agent.example:443/c",
      "it must be spelled https://agent.example/c",
    ],
    ["https://AGENT.example/c", "it must be spelled https://agent.example/c"],
    ["HTTPS://agent.example/c", "it must be spelled https://agent.example/c"],
    [
      "https://agent.example/a/../c",
      "it must be spelled https://agent.example/c",
    ],
    ["https://agent.example/./c", "it must be spelled https://agent.example/c"],
    [
      "https://agent.example/a/%2e%2E/c",
      "it must be spelled https://agent.example/c",
    ],
    [
      "https://agent.example/a\\c",
      "it must be spelled https://agent.example/a/c",
    ],
    ["https:agent.example/c", "it must have a path"],
    ["https:///agent.example/c", "it must have a path"],
    ["https://%61gent.example/c", "it must be spelled https://agent.example/c"],
    ["https://agent.example/c#", "it must not have a fragment"],
    ["https://agent.example/c#x", "it must not have a fragment"],
    ["https://user@agent.example/c", "it must not have a user or a password"],
    ["https://:p@agent.example/c", "it must not have a user or a password"],
    ["https://@agent.example/c", "it must not have a user or a password"],
    ["https://agent.example./c", "its host must not end with a dot"],
    ["https://agent .example/c", "it is not a URL"],
  ])("must not be %s", async (client_id, problem) => {
    expect(await whyNot(await begin(server, { client_id }))).toEqual([
      "metadata_document_url_invalid",
      `No client is registered with this client_id, and it is not the URL of a metadata document: ${problem.replaceAll("\\", "'")}.`,
    ]);
    expect(agent.fetched).toEqual([]);
  });

  it.each([
    "localhost",
    "agent.localhost",
    "localhost.",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[ff02::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:2::1]",
    "[2001:1ff::1]",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
    "１２７.0.0.1",
    "intranet",
    "printer.local",
    "vault.internal",
    "router.home.arpa",
  ])("does not lead to %s, in any spelling", async (host) => {
    const spelled = new URL(`https://${host}/c.json`).href;
    for (const client_id of new Set([spelled, `https://${host}/c.json`])) {
      const [status, , reason] = await shown(
        await begin(server, { client_id }),
      );
      expect(status).toBe(400);
      // An id with other characters than printable ASCII is not looked for at all.
      expect(reason).toMatch(
        /^[\x20-\x7e]+$/.test(client_id)
          ? /^metadata_document_url_invalid$/
          : /^authorization_client_unknown$/,
      );
    }
    expect(agent.fetched).toEqual([]);
  });

  it("may have a port, a query, and the path /", async () => {
    for (const url of [
      "https://agent.example:8443/c",
      "https://agent.example/c?v=1",
      "https://agent.example/",
    ]) {
      const site = new AgentSite(url);
      expect(isFound(await begin(server, { client_id: url }))).toBe(true);
      expect(site.fetched).toHaveLength(1);
    }
  });

  it("is of an allowed host and not of a denied one, where the operator has lists", async () => {
    const lists = {
      ...DOCUMENTS_ON,
      CLIENT_ID_METADATA_HOSTS: "good.example,bad.example",
      CLIENT_ID_METADATA_DENIED_HOSTS: "bad.example",
    };
    const at = serverWith(lists);
    for (const host of ["agent.example", "bad.example", "x.good.example"]) {
      const [reason, words] = await whyNot(
        await begin(at, { client_id: `https://${host}/c` }),
      );
      expect(reason).toBe("metadata_document_host_denied");
      expect(words).toContain("Ask its operator");
    }
    expect(agent.fetched).toEqual([]);
    const good = new AgentSite("https://good.example/c");
    expect(isFound(await begin(at, good))).toBe(true);
  });
});

describe("a document at the server's own origin", () => {
  it("is read in process, and never by the network", async () => {
    const [reason, words] = await whyNot(
      await begin(server, { client_id: `${ISSUER}/.well-known/jwks.json` }),
    );
    expect(reason).toBe("metadata_document_invalid");
    expect(words).toContain("its client_id is missing");
    expect(agent.fetched).toEqual([]);
  });

  it.each([
    "/authorize?response_type=code",
    "/access_token",
    "/admin/clients",
    "/nowhere",
  ])("%s is none, and does nothing", async (path) => {
    const [reason] = await whyNot(
      await begin(server, { client_id: ISSUER + path }),
    );
    expect(reason).toBe("metadata_document_invalid");
  });
});

describe("the server metadata", () => {
  it("says that metadata documents are supported, while they are", async () => {
    const path = "/.well-known/oauth-authorization-server";
    const on = await (await server.http(path)).json<object>();
    expect(on).toMatchObject({
      client_id_metadata_document_supported: true,
      token_endpoint_auth_methods_supported: expect.arrayContaining(["none"]),
    });
    const off = await (await serverWith({}).http(path)).json<object>();
    expect(off).not.toHaveProperty("client_id_metadata_document_supported");
  });
});

describe("a Worker whose fetch may go past the protection of its own zone", () => {
  it("does not read metadata documents, and /health says why", async () => {
    vi.stubGlobal("Cloudflare", { compatibilityFlags: {} });
    const without = serverWith(DOCUMENTS_ON);
    const response = await without.health();
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "failing",
      problems: [
        {
          name: "CLIENT_ID_METADATA_DOCUMENTS",
          problem:
            'needs compatibility_flags = ["global_fetch_strictly_public"] in the settings of the Worker, so that a stranger\'s URL leads nowhere but to the internet: setup --update adds it',
        },
      ],
    });
    vi.unstubAllGlobals();
    expect((await serverWith(DOCUMENTS_ON).health()).status).toBe(200);
  });
});
