import { describe, expect, it } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { rewriteClient } from "../../support/records.ts";
import { server, serverWith } from "../../support/server.ts";

/**
 * Tests which URIs of a client that have to do with logout can be registered (OpenID Connect RP-Initiated Logout section
 * 3.1, Back-Channel Logout section 2.2).
 */

const local = serverWith({ ISSUER: "http://localhost:8787" });

function register(metadata: object, to = server): Promise<Response> {
  return to.admin("POST", "/clients", metadata);
}

describe("a post-logout redirect URI may be", () => {
  it.each([
    "https://app.example.com/",
    "https://app.example.com/out?a=1&code=x",
    "http://127.0.0.1/out",
    "com.example.app:/out",
  ])("%s", async (uri) => {
    const response = await register({ post_logout_redirect_uris: [uri] });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({
      post_logout_redirect_uris: [uri],
    });
  });
});

describe("a post-logout redirect URI must not be", () => {
  it.each([
    ["/out", "must be an absolute URI"],
    ["https://app.example.com/#x", "must not have a fragment"],
    ["http://app.example.com/", "must begin with https://"],
    ["https://user@app.example.com/", "without a user or a password"],
    ["https://*.example.com/", "must not contain *"],
    ["javascript:alert(1)", "script"],
    ["https://app.example.com/?state=1", "must not have a parameter state"],
  ])("%s, because it %s", async (uri, problem) => {
    const good = "https://app.example.com/";
    const response = await register({ post_logout_redirect_uris: [good, uri] });
    const fields = await fieldErrors(response);
    expect(fields["post_logout_redirect_uris.1"]).toContain(problem);
  });

  it("one of more than 100", async () => {
    const uris = Array<string>(101).fill("https://app.example.com/");
    const response = await register({ post_logout_redirect_uris: uris });
    expect(await fieldErrors(response)).toHaveProperty(
      "post_logout_redirect_uris",
    );
  });
});

describe("an address for back-channel logout may be", () => {
  it.each([
    "https://app.example.com/logout?tenant=1",
    "https://app.example.com:8443/logout",
    "https://8.8.8.8/logout",
    "https://[2606:4700::1111]/logout",
    "https://100.128.0.1/",
    "https://172.32.0.1/",
    "https://192.1.68.1/",
    "https://localhost.example.com/",
    "https://internal.example.com/",
    "https://example.com./",
  ])("%s", async (uri) => {
    const response = await register({ backchannel_logout_uri: uri });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({
      backchannel_logout_uri: uri,
    });
  });
});

const isPrivate = "must not lead to a private address";

describe("an address for back-channel logout must not be", () => {
  it.each([
    ["/logout", "must be an absolute URI"],
    ["https://app.example.com/#", "must not have a fragment"],
    ["http://app.example.com/", "must begin with https://"],
    ["http://localhost/", "must begin with https://"],
    ["http://127.0.0.1:3000/", "must begin with https://"],
    ["ftp://app.example.com/", "must begin with https://"],
    ["https:app.example.com", "must begin with https://"],
    ["https:/app.example.com", "must begin with https://"],
    ["https:\\\\app.example.com", "must begin with https://"],
    ["https://user@app.example.com/", "must not have a user"],
    ["https://user:word@app.example.com/", "must not have a user"],
    ["https://@app.example.com/", "must not have a user"],
    ["https://app.example.com@10.0.0.1/", "must not have a user"],
    ["https://0.0.0.0/", isPrivate],
    ["https://10.0.0.1/", isPrivate],
    ["https://100.64.0.1/", isPrivate],
    ["https://100.127.255.255/", isPrivate],
    ["https://127.0.0.1/", isPrivate],
    ["https://127.1/", isPrivate],
    ["https://2130706433/", isPrivate],
    ["https://0x7f000001/", isPrivate],
    ["https://0x7f.1/", isPrivate],
    ["https://0177.0.0.1/", isPrivate],
    ["https://%31%30.0.0.1/", isPrivate],
    ["https://127.0.0.1./", isPrivate],
    ["https://169.254.169.254/latest/meta-data", isPrivate],
    ["https://172.16.0.1/", isPrivate],
    ["https://172.31.255.255/", isPrivate],
    ["https://192.0.0.1/", isPrivate],
    ["https://192.168.1.1/", isPrivate],
    ["https://198.18.0.1/", isPrivate],
    ["https://224.0.0.1/", isPrivate],
    ["https://240.0.0.1/", isPrivate],
    ["https://255.255.255.255/", isPrivate],
    ["https://[::]/", isPrivate],
    ["https://[::1]/", isPrivate],
    ["https://[::ffff:127.0.0.1]/", isPrivate],
    ["https://[::ffff:8.8.8.8]/", isPrivate],
    ["https://[::127.0.0.1]/", isPrivate],
    ["https://[64:ff9b::7f00:1]/", isPrivate],
    ["https://[64:ff9b:1::a00:1]/", isPrivate],
    ["https://[100::1]/", isPrivate],
    ["https://[2001::1]/", isPrivate],
    ["https://[2001:0:7f00:1::]/", isPrivate],
    ["https://[2002:7f00:1::]/", isPrivate],
    ["https://[fc00::1]/", isPrivate],
    ["https://[fd12:3456::1]/", isPrivate],
    ["https://[fe80::1]/", isPrivate],
    ["https://[fec0::1]/", isPrivate],
    ["https://[ff02::1]/", isPrivate],
    ["https://localhost/", isPrivate],
    ["https://LOCALHOST./", isPrivate],
    ["https://app.localhost/", isPrivate],
    ["https://printer.local/", isPrivate],
    ["https://metadata.google.internal/", isPrivate],
    ["https://metadata.google.internal./", isPrivate],
    ["https://nas.home.arpa/", isPrivate],
    ["https://intranet/", isPrivate],
    ["https://intranet./", isPrivate],
  ])("%s, because it %s", async (uri, problem) => {
    const fields = await fieldErrors(
      await register({ backchannel_logout_uri: uri }),
    );
    expect(fields["backchannel_logout_uri"]).toContain(problem);
  });
});

describe("a local server", () => {
  it.each([
    "http://localhost:3000/logout",
    "http://127.0.0.1/",
    "http://[::1]:1/",
  ])("may tell a program beside it: %s", async (uri) => {
    const response = await register({ backchannel_logout_uri: uri }, local);
    expect(response.status).toBe(201);
  });

  it.each(["http://app.example.com/", "http://10.0.0.1/", "https://10.0.0.1/"])(
    "tells nobody else: %s",
    async (uri) => {
      const response = await register({ backchannel_logout_uri: uri }, local);
      expect(await fieldErrors(response)).toHaveProperty(
        "backchannel_logout_uri",
      );
    },
  );
});

describe("a client whose record has a URI that is not allowed", () => {
  it("can be changed in another field, and not to another such URI", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}`;
    await rewriteClient(client, {
      backchannel_logout_uri: "https://10.0.0.1/",
      post_logout_redirect_uris: ["http://app.example.com/"],
    });
    const renamed = await server.admin("PATCH", path, { client_name: "New" });
    expect(renamed.status).toBe(200);
    for (const [field, patch] of Object.entries({
      backchannel_logout_uri: "https://10.0.0.2/",
      "post_logout_redirect_uris.0": ["http://other.example.com/"],
    })) {
      const name = field.replace(".0", "");
      const response = await server.admin("PATCH", path, { [name]: patch });
      expect(await fieldErrors(response)).toHaveProperty([field]);
    }
  });
});
