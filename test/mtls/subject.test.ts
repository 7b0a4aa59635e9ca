import { beforeAll, describe, expect, it } from "vitest";
import { alternativeNames } from "../../src/oauth/clients/alternative-names.ts";
import { normalizedName } from "../../src/oauth/distinguished-name.ts";
import {
  app,
  described,
  SELF_SIGNED,
  through,
} from "../support/certificates.ts";
import { refusal, serverWith } from "../support/server.ts";

/** Tests how the subject of a certificate is compared with that of a client's record (RFC 8705 section 2.1.2). */

const server = serverWith({ CLIENT_CERTIFICATES: "on" });

const wrong = [401, "invalid_client", "client_certificate_wrong"];

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

const isSame = (expected: string, subject: string) =>
  normalizedName(expected) !== undefined &&
  normalizedName(expected) === normalizedName(subject);

const LONG = `CN=${"a".repeat(5000)}`;

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
  ])("%j is %j", (expected, subject) => {
    expect(isSame(expected, subject)).toBe(true);
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
    ["CN=app", "CN=app,"],
    ["CN=app", String.raw`CN=app\\`],
    ["CN=app", String.raw`CN=app\C4`],
  ])("%j is not %j", (expected, subject) => {
    expect(isSame(expected, subject)).toBe(false);
  });

  it("of a certificate has to be the one of the record", async () => {
    const record = { tls_client_auth_subject_dn: "cn=app, o=Example" };
    const answer = (certSubjectDNRFC2253: string) =>
      ask(record, { certSubjectDNRFC2253 });
    expect((await answer("CN=app,O=Example")).status).toBe(200);
    for (const subject of ["O=Example,CN=app", "CN=app", LONG, "", "CN=\\"])
      expect(await refusal(await answer(subject))).toEqual(wrong);
  });

  it.each([
    "app",
    "CN=app,",
    "CN=app,,C=DE",
    "CN=#0",
    "CN=#",
    String.raw`CN=\C4`,
    "CN=app\\",
    "C N=app",
    " ",
    // The subject as other commands print it.
    "subject=CN=app",
    "Subject = CN=app,O=Example",
    'CN=app,O="Example"',
    "/O=Example/CN=app",
    LONG,
  ])("that cannot be read is refused in a record: %.20j", async (subject) => {
    const response = await server.admin("POST", "/clients", {
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: subject,
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({
        fields: { tls_client_auth_subject_dn: expect.any(String) as unknown },
      }),
    ]);
  });
});

describe("a subject alternative name", () => {
  const field = (kind: string, name: string) => ({
    [`tls_client_auth_san_${kind}`]: name,
  });

  it.each([
    ["dns", "app.example.com"],
    ["dns", "APP.example.com"],
    ["uri", "https://app.example.com/id"],
    ["ip", "192.0.2.7"],
    ["ip", "2001:db8::7"],
    ["ip", "2001:0DB8:0:0:0:0:0:7"],
    ["email", "ops@example.com"],
  ])("%s %s is in the certificate", async (kind, name) => {
    expect((await ask(field(kind, name), {})).status).toBe(200);
  });

  it.each([
    ["dns", "example.com"],
    ["dns", "ops@example.com".replace("@", ".")],
    ["uri", "https://app.example.com/ID"],
    ["uri", "urn:app.example.com"],
    ["ip", "192.0.2.70"],
    ["ip", "2001:db8::70"],
    ["email", "app@app.example.com"],
  ])("%s %s is not", async (kind, name) => {
    expect(await refusal(await ask(field(kind, name), {}))).toEqual(wrong);
  });

  it.each([
    ["dns", "*.example.com"],
    ["dns", "app_1"],
    ["dns", "xn--bcher-kva.example"],
    ["uri", "spiffe://example.com/billing"],
    ["uri", "https://app.example.com/card#me"],
    ["email", "ops+app@[192.0.2.7]"],
  ])("%s %s can be in a certificate", async (kind, name) => {
    expect(await clientWith(field(kind, name))).toMatchObject(
      field(kind, name),
    );
  });

  it.each([
    ["dns", "https://app.example.com"],
    ["dns", "app.example.com/"],
    ["dns", "app.example.com:443"],
    ["dns", "app example.com"],
    ["dns", "app..example.com"],
    ["dns", "bücher.example"],
    ["uri", "app.example.com"],
    ["uri", "https://app.example.com/a b"],
    ["uri", "https://bücher.example"],
    ["ip", "192.0.2"],
    ["ip", "192.0.2.0/24"],
    ["ip", "app.example.com"],
    ["email", "app.example.com"],
    ["email", "mailto:ops@example.com"],
    ["email", "ops @example.com"],
    ["email", "Ops <ops@example.com>"],
    ["email", "öps@example.com"],
  ])(
    "%s %s is refused in a record, because no certificate can have it",
    async (kind, name) => {
      const response = await server.admin("POST", "/clients", {
        token_endpoint_auth_method: "tls_client_auth",
        ...field(kind, name),
      });
      expect([response.status, await response.json()]).toEqual([
        400,
        expect.objectContaining({
          fields: {
            [`tls_client_auth_san_${kind}`]: expect.any(String) as unknown,
          },
        }),
      ]);
    },
  );

  it("is not read from a certificate that the platform has left out, or that is malformed", async () => {
    const der = atob(app.der);
    const at = der.indexOf("app.example.com", der.indexOf("\x55\x1d\x11"));
    const grown = der.slice(0, at - 1) + "\x7f" + der.slice(at);
    for (const certRFC9440 of [
      "",
      ":",
      "::",
      ":%:",
      `:${btoa(der.slice(0, -1))}:`,
      `:${btoa(`${der}x`)}:`,
      `:${btoa(grown)}:`,
      `:${btoa("\x30\x82\xff\xff")}:`,
      `:${btoa("\x30\x84\xff\xff\xff\xff".repeat(1000))}:`,
    ]) {
      const response = await ask(field("dns", "app.example.com"), {
        certRFC9440,
      });
      expect(await refusal(response)).toEqual(wrong);
    }
  });

  it("is read without a fault from a certificate that was changed anywhere", () => {
    const der = Uint8Array.fromBase64(app.der);
    const { dns } = alternativeNames(der);
    expect(dns).toEqual(["app.example.com"]);
    for (let at = 0; at < der.length; at += 1)
      for (const byte of [0x00, 0x7f, 0xff]) {
        const changed = Uint8Array.from(der);
        changed[at] = byte;
        const names = alternativeNames(changed);
        expect(names.dns.length).toBeLessThanOrEqual(2);
        expect(names.ip.length).toBeLessThanOrEqual(2);
      }
  });

  it("counts only in a verified certificate", async () => {
    const response = await ask(field("dns", "app.example.com"), SELF_SIGNED);
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_certificate_unverified",
    ]);
  });
});
