import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { calculateJwkThumbprint, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { run, temporaryDirectory } from "../support.ts";

const keys = (...args: string[]) => run("baton", ["keys", ...args]);

describe("baton keys generate", () => {
  test("prints a fresh encryption key and nothing else", async () => {
    const { code, stdout, stderr } = await keys(
      "generate",
      "--kind",
      "encryption",
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^[\w+/]{43}=\n$/);
    expect((await keys("generate", "--kind", "encryption")).stdout).not.toBe(
      stdout,
    );
  });

  test.each([
    ["ES256", [], "P-256"],
    ["ES384", [], "P-384"],
    ["EdDSA", [], "Ed25519"],
    ["RS256", [], 2048],
    ["PS256", ["--bits", "3072"], 3072],
    ["RS256", ["--bits", "4096"], 4096],
  ])("prints a private JWK for %s %j", async (alg, more, expected) => {
    const { code, stdout } = await keys(
      "generate",
      "--alg",
      alg,
      ...more,
      "--from",
      "2026-12-01T10:00:00Z",
    );
    expect(code).toBe(0);
    expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(5120);
    const [, text = ""] =
      /^from=2026-12-01T10:00:00Z;(\{.*\})\n$/.exec(stdout) ?? [];
    const jwk = JSON.parse(text);
    expect(jwk).toMatchObject({ alg, d: expect.any(String) });
    expect(await importJWK(jwk, alg)).toMatchObject({ type: "private" });
    const { modulusLength, namedCurve } =
      createPrivateKey({ key: jwk, format: "jwk" }).asymmetricKeyDetails ?? {};
    expect(modulusLength ?? jwk.crv).toBe(expected);
    expect(namedCurve === undefined || alg.startsWith("ES")).toBe(true);
  });

  test("warns that npm's heading goes into the pipe, unless npm is silent", async () => {
    const args = ["keys", "generate", "--kind", "encryption"];
    const under = (npm_config_loglevel: string) =>
      run("baton", args, {
        env: { npm_lifecycle_event: "baton", npm_config_loglevel },
      });
    const loud = await under("notice");
    expect([loud.code, loud.stderr]).toEqual([
      0,
      expect.stringContaining("Type `npm run -s baton -- keys generate"),
    ]);
    expect(await under("silent")).toMatchObject({ code: 0, stderr: "" });
  });

  test("without --alg prints a private key for ES256", async () => {
    const { stdout } = await keys("generate", "--kind", "private");
    expect(JSON.parse(stdout)).toMatchObject({ alg: "ES256", crv: "P-256" });
  });

  test.each([
    [[], "Add --kind encryption or --kind private."],
    [["--kind", "both"], "Allowed choices are encryption, private"],
    [["--kind", "encryption", "--alg", "ES256"], "--alg is for private keys"],
    [["--alg", "HS256"], "--alg must be one of ES256"],
    [["--alg", "ES256", "--bits", "2048"], "--bits is for --alg RS256"],
    [["--alg", "RS256", "--bits", "1024"], "--bits must be one of 2048"],
    [
      ["--kind", "private", "--from", "2026-12-01"],
      "such as 2026-12-01T10:00:00Z",
    ],
    [["--kind", "private", "--from", "2026-02-30T10:00:00Z"], "a time in UTC"],
  ])("refuses %j", async (args, message) => {
    const { code, stdout, stderr } = await keys("generate", ...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});

/** Writes a key to a file. */
function fileWith(text: string): string {
  const path = join(temporaryDirectory(), "key");
  writeFileSync(path, text);
  return path;
}

describe("baton keys convert", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const jwk = privateKey.export({ format: "jwk" });
  const publicJwk = publicKey.export({ format: "jwk" });
  const publicPem = publicKey
    .export({ type: "spki", format: "pem" })
    .toString();

  test("prints a PEM as a JWK, and a JWK as a PEM", async () => {
    const toJwk = await keys("convert", "--private", fileWith(pem));
    expect(JSON.parse(toJwk.stdout)).toEqual(jwk);
    const toPem = await keys(
      "convert",
      "--private",
      fileWith(JSON.stringify(jwk)),
    );
    expect(toPem.stdout).toBe(pem);
  });

  test.each([
    [
      "PKCS#1",
      generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
      "pkcs1",
    ],
    ["SEC 1", privateKey, "sec1"],
  ] as const)("reads a PEM of %s", async (_, key, type) => {
    const text = key.export({ type: type, format: "pem" }).toString();
    const { stdout } = await keys("convert", "--private", fileWith(text));
    expect(JSON.parse(stdout)).toEqual(key.export({ format: "jwk" }));
  });

  test("prints the public half with the kid that the server publishes", async () => {
    const kid = await calculateJwkThumbprint(publicJwk);
    for (const text of [pem, publicPem]) {
      const { stdout } = await keys("convert", "--public", fileWith(text));
      expect(JSON.parse(stdout)).toEqual({ ...publicJwk, kid });
    }
    const { stdout } = await keys(
      "convert",
      "--public",
      fileWith(JSON.stringify(jwk)),
    );
    expect(stdout).toBe(publicPem);
  });

  test("does not print a private half unless it is asked to", async () => {
    for (const text of [pem, JSON.stringify(jwk)]) {
      const { code, stdout, stderr } = await keys("convert", fileWith(text));
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("Add --private to print it");
    }
  });

  test("reads standard input", () => {
    const script = join(import.meta.dirname, "../../../src/cli/baton.ts");
    const output = execFileSync(
      process.execPath,
      [script, "keys", "convert", "--private"],
      { input: pem, encoding: "utf8" },
    );
    expect(JSON.parse(output)).toEqual(jwk);
  });

  test("decrypts a PEM with PRIVATE_KEY_PASSPHRASE", async () => {
    const encrypted = fileWith(
      privateKey
        .export({
          type: "pkcs8",
          format: "pem",
          cipher: "aes-256-cbc",
          passphrase: "secret",
        })
        .toString(),
    );
    const without = await keys("convert", "--private", encrypted);
    expect(without.stderr).toContain(
      "The PEM is encrypted. Set its pass phrase",
    );
    for (const [passphrase, expected] of [
      ["secret", 0],
      ["wrong", 1],
    ] as const) {
      const { code, stderr } = await run(
        "baton",
        ["keys", "convert", "--private", encrypted],
        {
          env: { PRIVATE_KEY_PASSPHRASE: passphrase },
        },
      );
      expect(code).toBe(expected);
      expect(stderr).toBe(
        expected === 0
          ? ""
          : "The PEM cannot be decrypted: PRIVATE_KEY_PASSPHRASE is wrong, or the PEM is damaged.\n",
      );
    }
  });

  test.each([
    ["nonsense", "The input is neither a JWK nor a PEM"],
    ["{nonsense", "begins like a JWK, but it is not JSON"],
    ['{"kty":"EC","d":"x"}', "The JWK cannot be read"],
    ['{"keys":[]}', "a JWK set with several keys or none"],
    [pem.slice(0, 80), "The input is neither a JWK nor a PEM"],
    ["x".repeat(70_000), "more than 65536 characters"],
  ])(
    "names what is wrong, and does not quote it: %j",
    async (text, message) => {
      const { code, stdout, stderr } = await keys(
        "convert",
        "--private",
        fileWith(text),
      );
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(message);
      expect(stderr).not.toContain(text.slice(-9));
    },
  );

  test("says so if a key has no private half, or a file cannot be read", async () => {
    const noPrivate = await keys("convert", "--private", fileWith(publicPem));
    expect(noPrivate.stderr).toContain("The key has no private half");
    const folder = temporaryDirectory();
    const none = join(folder, "none");
    expect(await keys("convert", none)).toMatchObject({
      code: 1,
      stderr: `There is no file ${none}. Check the path.\n`,
    });
    expect(await keys("convert", folder)).toMatchObject({
      code: 1,
      stderr: `${folder} is a folder. Name the file with the key.\n`,
    });
  });
});
