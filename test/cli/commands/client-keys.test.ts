import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ecCertificate, ecKey, edKey } from "../../support/client-keys.ts";
import {
  type Args,
  batonWithServer,
  fresh,
  run,
  temporaryDirectory,
} from "../support.ts";

/** Tests the options by which a client gets keys, or the name of its certificate. */

const baton = batonWithServer();

const byKey = ["--auth-method", "private_key_jwt"];
const byCertificate = ["--auth-method", "tls_client_auth"];

/** Writes a file. An object is written as JSON. @returns its path */
function file(content: string | Uint8Array | object): string {
  const path = join(temporaryDirectory(), "keys");
  writeFileSync(
    path,
    typeof content === "string" || content instanceof Uint8Array
      ? content
      : JSON.stringify(content),
  );
  return path;
}

/** Creates a client. @returns its id, the record and the options */
async function create(...options: Args) {
  const id = fresh("client");
  const record = await baton.json(
    ["clients", "create", "--id", id],
    ...options,
  );
  return { id, record };
}

/** Tries to create a client. @returns what is written to standard error */
async function refused(...options: Args): Promise<string> {
  const { code, stdout, stderr } = await baton.run(
    ["clients", "create"],
    ...options,
  );
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  return stderr;
}

const pem = (label: string, base64: string) =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;

describe("--single-use-assertions", () => {
  test("makes each assertion of a client good for one request, until --no-single-use-assertions", async () => {
    const keys = ["--jwks", file({ keys: [ecKey] })];
    const { id, record } = await create(
      [...byKey, ...keys],
      "--single-use-assertions",
    );
    expect(record).toMatchObject({ single_use_client_assertions: true });
    expect(
      await baton.json("clients", "update", id, "--no-single-use-assertions"),
    ).toMatchObject({ single_use_client_assertions: false });
  });

  test("is refused for a client with a secret, by the name of the option", async () => {
    expect(await refused("--single-use-assertions")).toMatch(
      /^--single-use-assertions: must not be true .*private_key_jwt/,
    );
  });
});

describe("--jwks", () => {
  test("gives a client the public keys of a file, and no secret", async () => {
    const id = fresh("client");
    const key = { ...ecKey, kid: "2026", alg: "ES256" };
    const made = await baton.run(
      ["clients", "create", "--id", id, ...byKey],
      ["--jwks", file(key)],
    );
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toMatch(
      /^jwks +EC P-256, ES256, kid 2026, 7yGUmn\S+…$/m,
    );
    expect(made.stdout).not.toMatch(/client_secret/);
    const set = file({ keys: [key, edKey] });
    await baton.json(["clients", "update", id, "--jwks", set]);
    expect(await baton.json("clients", "show", id)).toMatchObject({
      jwks: { keys: [key, edKey] },
      credentials: [],
    });
    const listed = await baton.run("clients", "list", "--name", id);
    expect(listed.stdout).toMatch(new RegExp(`^${id} +private_key_jwt `, "m"));
  });

  const json = JSON.stringify(ecKey);
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const jwk = publicKey.export({ format: "jwk" });

  test.each<[string, string | Uint8Array | object, object]>([
    ["with a byte order mark", `\ufeff${json}`, ecKey],
    ["of PowerShell", Buffer.from(`\ufeff${json}`, "utf16le"), ecKey],
    ["with an array of keys", [ecKey], ecKey],
    ["in PEM", publicKey.export({ format: "pem", type: "spki" }), jwk],
    [
      "with a certificate in PEM",
      pem("CERTIFICATE", ecCertificate),
      { ...ecKey, x5c: [ecCertificate] },
    ],
  ])("takes a file %s", async (_what, content, key) => {
    const { record } = await create(byKey, ["--jwks", file(content)]);
    expect(record).toMatchObject({ jwks: { keys: [key] } });
  });

  test("takes @ before the path, and standard input", async () => {
    const { record } = await create(byKey, ["--jwks", `@${file(ecKey)}`]);
    expect(record).toMatchObject({ jwks: { keys: [ecKey] } });
    const { url, secrets } = baton.server;
    const { code, stdout } = await run(
      "baton",
      ["clients", "create", "--json", ...byKey, "--jwks", "-"],
      {
        env: { BATON_URL: url, BATON_ADMIN_TOKEN: secrets.ADMIN_TOKEN },
        input: json,
      },
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ jwks: { keys: [ecKey] } });
  });

  test.each<[string, string | object]>([
    ["a JWK", { ...ecKey, d: "c2VjcmV0" }],
    ["one of a set", { keys: [edKey, { ...ecKey, d: "c2VjcmV0" }] }],
    ["a PEM file", pem("EC PRIVATE KEY", "c2VjcmV0")],
    [
      "beside a certificate",
      pem("CERTIFICATE", ecCertificate) + pem("PRIVATE KEY", "c2VjcmV0"),
    ],
  ])(
    "refuses a private key, and shows nothing of it: %s",
    async (_, content) => {
      const told = await refused(byKey, ["--jwks", file(content)]);
      expect(told).toMatch(
        /^--jwks: the file \S+ has a private key.+Nothing was sent\. Give a file with the public key alone/,
      );
      expect(told).not.toContain("c2VjcmV0");
    },
  );

  test("refuses keys in the command line, and shows nothing of them", async () => {
    const pkcs8 = privateKey.export({ format: "pem", type: "pkcs8" });
    const jwk = JSON.stringify(privateKey.export({ format: "jwk" }));
    for (const given of [pkcs8.toString(), jwk]) {
      const told = await refused(byKey, [`--jwks=${given}`]);
      expect(told).toBe(
        "--jwks takes the path of a file, and not the keys themselves. Save the public keys to a file, or give them on standard input: --jwks -\n",
      );
    }
  });

  test.each<[string, string | object, RegExp]>([
    ["no JSON", "key", /is neither JSON nor PEM\. It must have a JWK set, /],
    ["a text", '"key"', /has no keys\. It must have a JWK set, such as /],
    ["another object", { key: ecKey }, /has no keys\. It must have a JWK set/],
    ["an open end", " ".repeat(300_000), /has more than 262144 bytes/],
    ["a symmetric key", { kty: "oct", k: "c2VjcmV0" }, /Use a key pair/],
    ["a broken certificate", pem("CERTIFICATE", "AAAA"), /can be read\. `open/],
    [
      "two certificates",
      pem("CERTIFICATE", ecCertificate).repeat(2),
      /has several keys or certificates\. Leave the client's own one/,
    ],
  ])("says what is wrong with a file of %s", async (_what, content, text) => {
    const told = await refused(byKey, ["--jwks", file(content)]);
    expect(told).toMatch(/^--jwks: the file \S+ /);
    expect(told).toMatch(text);
    expect(told).not.toContain("c2VjcmV0");
  });

  test("says what is wrong with a path", async () => {
    expect(await refused(byKey, ["--jwks", "/no/such/file"])).toBe(
      "--jwks: the file /no/such/file cannot be read. Check the path.\n",
    );
    const url = "https://app.example/jwks.json";
    expect(await refused(byKey, ["--jwks", url])).toBe(
      `--jwks takes the path of a file. For keys at a URL: --jwks-uri ${url}\n`,
    );
  });
});

describe("a key that the client would not use is refused", () => {
  const uri = ["--jwks-uri", "https://app.example/jwks.json"];
  const dns = ["--certificate-dns", "app.example"];
  const told = (flag: string, now: string, method: string) =>
    `${flag} would not be used, because the client ${now}. Add --auth-method ${method}. The client then has no secret.\n`;
  const ofKeys =
    "private_key_jwt, or self_signed_tls_client_auth if it has a certificate";

  test.each<[Args, string]>([
    [[uri], told("--jwks-uri", "authenticates with a secret", ofKeys)],
    [
      [dns],
      told(
        "--certificate-dns",
        "authenticates with a secret",
        "tls_client_auth",
      ),
    ],
    [[uri, "--public"], told("--jwks-uri", "is public", ofKeys)],
    [
      [uri, ["--auth-method", "client_secret_basic"]],
      told("--jwks-uri", "has client_secret_basic", ofKeys),
    ],
    [
      [uri, dns, byKey],
      told("--certificate-dns", "has private_key_jwt", "tls_client_auth"),
    ],
  ])("when it is made with %j", async (options, message) => {
    expect(await refused(...options)).toBe(message);
  });

  test("when it is changed, by the method of its record", async () => {
    const { id } = await create();
    const update: Args = [["clients", "update", id]];
    const message = told("--jwks-uri", "authenticates with a secret", ofKeys);
    expect(await baton.run(...update, uri)).toMatchObject({
      code: 1,
      stderr: message,
    });
    expect(await baton.run(...update, uri, ["--add-scope", "x"])).toMatchObject(
      { code: 1, stderr: message },
    );
    await baton.json(...update, uri, byKey);
    const other = ["--jwks-uri", "https://app.example/other.json"];
    expect(await baton.json(...update, other)).toMatchObject({
      jwks_uri: other[1],
    });
    const back = ["--unset", "token_endpoint_auth_method"];
    expect((await baton.run(...update, uri, back)).stderr).toBe(message);
  });
});

describe("a client that goes over from a key to a secret", () => {
  test("is shown with the command that makes a secret, and rotate-secret names the way", async () => {
    const { id } = await create(byKey, ["--jwks", file(ecKey)]);
    const rotate = () => baton.run("clients", "rotate-secret", id);
    const back = `clients update ${id} --unset token_endpoint_auth_method`;
    const early = await rotate();
    expect(early).toMatchObject({ code: 1, stdout: "" });
    expect(early.stderr).toMatch(/cannot have a secret.+private_key_jwt/);
    expect(early.stderr).toContain(`npm run baton -- ${back}. Then repeat`);
    const changed = await baton.run(...back.split(" "));
    expect(changed.stdout).toContain(
      `The client has no secret yet, so it gets no token. Make one: npm run baton -- clients rotate-secret ${id}\n`,
    );
    expect((await rotate()).stdout).toMatch(/^client_secret +baton_cs_/m);
    const later = await baton.run(
      ["clients", "update", id],
      ["--auth-method", "client_secret_post"],
    );
    expect(later.stdout).not.toContain("no secret");
  });
});

describe("--certificate-subject", () => {
  const subject = (name: string) => ["--certificate-subject", name];

  test.each([
    [
      "subject=CN=billing,O=Acme\\, Inc.,C=DE",
      "CN=billing,O=Acme\\, Inc.,C=DE",
    ],
    ["subject= CN = billing", "CN = billing"],
    ["Subject: CN=billing\n", "CN=billing"],
    ["CN=billing, O=Acme", "CN=billing, O=Acme"],
  ])("takes %j, as OpenSSL or a person writes it", async (typed, name) => {
    const { record } = await create(byCertificate, subject(typed));
    expect(record).toMatchObject({ tls_client_auth_subject_dn: name });
  });

  const advice =
    "Give it as `openssl x509 -in client.crt -noout -subject -nameopt RFC2253` prints it";

  test.each(["subject=/C=DE/CN=billing", 'subject=O="Acme"', "billing"])(
    "refuses %j, and says the form",
    async (typed) => {
      expect(await refused(byCertificate, subject(typed))).toBe(
        `--certificate-subject: must be a distinguished name such as CN=billing,O=Acme (RFC 4514). ${advice}\n`,
      );
    },
  );

  test.each([
    "subject=C = DE, O = Acme, CN = billing",
    "subject=C=DE, O=Acme, CN=billing",
    'subject=C = DE, O = "Acme, Inc.", CN = billing',
    "C = DE, CN = billing",
  ])("refuses %j, which has the other order", async (typed) => {
    expect(await refused(byCertificate, subject(typed))).toBe(
      `--certificate-subject has its parts in the order of the certificate, and RFC 4514 has the other one. ${advice}.\n`,
    );
  });
});
