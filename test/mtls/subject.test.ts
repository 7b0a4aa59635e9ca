import { beforeAll, describe, expect, it } from "vitest";
import { app, described, through } from "../support/certificates.ts";
import { refusal, serverWith } from "../support/server.ts";

/** Tests how the subject of a certificate is compared with that of a client's record (RFC 8705 section 2.1.2). */

const server = serverWith({ CLIENT_CERTIFICATES: "on" });

beforeAll(() => server.makeScopes("read"));

/** The client whose record has a subject. It is made once. */
const clients = new Map<string, Promise<{ client_id: string }>>();

async function clientWith(record: Record<string, unknown>) {
  const name = JSON.stringify(record);
  const client =
    clients.get(name) ??
    server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
      token_endpoint_auth_method: "tls_client_auth",
      ...record,
    });
  clients.set(name, client);
  return client;
}

/** Asks for a token with a certificate of one subject, by a client whose record has another spelling. */
async function ask(
  record: Record<string, unknown>,
  certificate: Record<string, unknown>,
): Promise<Response> {
  const { client_id } = await clientWith(record);
  return through(server, described(app, certificate)).token({
    grant_type: "client_credentials",
    client_id,
  });
}

const compare = (expected: string, subject: string) =>
  ask(
    { tls_client_auth_subject_dn: expected },
    { certSubjectDNRFC2253: subject },
  );

describe("a subject", () => {
  it.each([
    ["CN=app,O=Example,C=DE", "CN=app,O=Example,C=DE"],
    [app.subject, app.subject],
    // RFC 4514 section 4: its own examples, in several spellings.
    [
      "UID=jsmith,DC=example,DC=net",
      "0.9.2342.19200300.100.1.1=jsmith,DC=example,DC=net",
    ],
    ["OU=Sales+CN=J.  Smith,DC=example", "CN=J.  Smith+OU=Sales,DC=example"],
    [
      String.raw`CN=James \"Jim\" Smith\, III`,
      String.raw`CN=James \22Jim\22 Smith\2C III`,
    ],
    [String.raw`CN=Before\0dAfter`, String.raw`CN=Before\0DAfter`],
    [String.raw`CN=Lu\C4\8Di\C4\87`, "CN=Lučić"],
    ["1.3.6.1.4.1.1466.0=#04024869", "OID.1.3.6.1.4.1.1466.0=#04024869"],
    // Spaces around a part mean nothing, and names of types have no case.
    ["cn=app, o=Example , c=DE", "CN=app,O=Example,C=DE"],
    [String.raw`CN=app\ ,O=Example`, String.raw`CN=app\20,O=Example`],
    ["2.5.4.3=app", "CN=app"],
    ["CN=#0c03617070", "CN=app"],
    ["E=a@example.com,CN=app", "emailAddress=a@example.com,CN=app"],
    [String.raw`CN=\#1`, String.raw`CN=\231`],
  ])("%j is %j", async (expected, subject) => {
    expect((await compare(expected, subject)).status).toBe(200);
  });

  it.each([
    ["CN=app,O=Example,C=DE", "C=DE,O=Example,CN=app"],
    ["CN=app,O=Example", "CN=app,O=Example,C=DE"],
    ["CN=app,O=Example,C=DE", "CN=app,O=Example"],
    ["CN=app", "CN=App"],
    ["CN=app", "OU=app"],
    ["CN=app", String.raw`CN=app\ `],
    ["CN=app,OU=a", String.raw`CN=app\,OU\=a`],
    ["CN=app+OU=a", "CN=app,OU=a"],
    ["CN=*", "CN=app"],
    [String.raw`CN=\#3041`, "CN=#3041"],
    ["CN=app", ""],
    ["CN=app", "app"],
    ["CN=app", String.raw`CN=app\\`],
    // Both malformed: a name that cannot be read is nobody's.
    [String.raw`CN=\C4`, String.raw`CN=\C4`],
    ["CN=#0", "CN=#0"],
    ["app", "app"],
    ["CN=app,", "CN=app,"],
    ["CN=app,,C=DE", "CN=app,,C=DE"],
    [`CN=${"a".repeat(1000)}`, `CN=${"a".repeat(5000)}`],
  ])("%j is not %j", async (expected, subject) => {
    const response = await compare(expected, subject).catch(String);
    if (typeof response === "string")
      // The record was refused.
      expect(response).toMatch(/tls_client_auth_subject_dn/);
    else
      expect(await refusal(response)).toEqual([
        401,
        "invalid_client",
        "client_certificate_wrong",
      ]);
  });
});
