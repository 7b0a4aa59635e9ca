import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { completeDevVars } from "../../../src/cli/local/dev-vars.ts";
import { temporaryDirectory } from "../support.ts";

const all = ["PRIVATE_KEY", "ENCRYPTION_KEY", "ADMIN_TOKEN"];

/** Writes a file with this content and completes it. */
async function complete(content?: string) {
  const path = join(temporaryDirectory(), ".dev.vars");
  if (content !== undefined) writeFileSync(path, content);
  const written = await completeDevVars(path);
  const text = readFileSync(path, "utf8");
  return { path, written, text, vars: parseEnv(text) };
}

describe("the first run", () => {
  test("writes every secret, and returns their names", async () => {
    const { written, vars } = await complete();
    expect(written).toEqual(all);
    expect(new Set(Object.keys(vars))).toEqual(new Set(all));
  });

  test("creates a private ES256 key, on one line in single quotes", async () => {
    const { text, vars } = await complete();
    expect(text).toMatch(/^PRIVATE_KEY='\{.*\}'$/m);
    const jwk = JSON.parse(vars["PRIVATE_KEY"]!);
    expect(jwk).toMatchObject({ kty: "EC", crv: "P-256" });
    expect(await importJWK(jwk, "ES256")).toMatchObject({ type: "private" });
  });

  test("creates 32 random bytes for each of the other two", async () => {
    const { vars } = await complete();
    expect(vars["ENCRYPTION_KEY"]).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(vars["ADMIN_TOKEN"]).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test("creates different secrets each time", async () => {
    const [one, two] = [await complete(), await complete()];
    for (const name of all) expect(one.vars[name]).not.toBe(two.vars[name]);
  });

  test("makes the file readable by its owner only", async () => {
    const { path } = await complete();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

describe("an existing .dev.vars", () => {
  test("that is complete is not changed, nor is its mode", async () => {
    const path = join(temporaryDirectory(), ".dev.vars");
    const content = "PRIVATE_KEY=a\nENCRYPTION_KEY=b\nADMIN_TOKEN=c";
    writeFileSync(path, content);
    chmodSync(path, 0o640);
    expect(await completeDevVars(path)).toEqual([]);
    expect(readFileSync(path, "utf8")).toBe(content);
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  test.each([
    [
      "with comments",
      "# mine\n\nENCRYPTION_KEY = b # why\nACCESS_TOKEN_TTL=PT5M\n",
    ],
    ["without a line break at its end", "# mine\nENCRYPTION_KEY=b"],
    ["with Windows line breaks", "# mine\r\nENCRYPTION_KEY=b\r\n"],
  ])("%s keeps every byte and gets the missing secrets", async (_, content) => {
    const { written, text, vars } = await complete(content);
    expect(written).toEqual(["PRIVATE_KEY", "ADMIN_TOKEN"]);
    expect(text.startsWith(content)).toBe(true);
    expect(vars["ENCRYPTION_KEY"]).toBe("b");
    expect(vars["PRIVATE_KEY"]).toMatch(/^\{.*\}$/);
    expect(vars["ADMIN_TOKEN"]).toMatch(/^[\w-]{43}$/);
  });

  test("with empty keys gets new keys", async () => {
    const { written, vars } = await complete(
      "PRIVATE_KEY=\nENCRYPTION_KEY=''\nADMIN_TOKEN=mine\n",
    );
    expect(written).toEqual(["PRIVATE_KEY", "ENCRYPTION_KEY"]);
    expect(vars["PRIVATE_KEY"]).toMatch(/^\{.*\}$/);
    expect(vars["ENCRYPTION_KEY"]).toMatch(/^.{43}=$/);
    expect(vars["ADMIN_TOKEN"]).toBe("mine");
  });

  test("with keys of quotes and white space alone gets new keys", async () => {
    const { written, vars } = await complete(
      `PRIVATE_KEY=' '\nENCRYPTION_KEY='""'\nADMIN_TOKEN='"mine"'\n`,
    );
    expect(written).toEqual(["PRIVATE_KEY", "ENCRYPTION_KEY"]);
    expect(vars["PRIVATE_KEY"]).toMatch(/^\{.*\}$/);
    expect(vars["ENCRYPTION_KEY"]).toMatch(/^.{43}=$/);
    expect(vars["ADMIN_TOKEN"]).toBe('"mine"');
  });

  test("with labelled keys alone, as after the rotation and the end of the first ones, gets no others", async () => {
    const { written, text } = await complete(
      "PRIVATE_KEY_2026_12=a\nENCRYPTION_KEY=\nENCRYPTION_KEY_2026_12=b\nADMIN_TOKEN=c\n",
    );
    expect(written).toEqual([]);
    expect(text).not.toMatch(/^PRIVATE_KEY=/m);
  });

  test("with a passphrase, or a labelled key without a value, gets a key", async () => {
    const { written } = await complete(
      "PRIVATE_KEY_PASSPHRASE=a\nENCRYPTION_KEY_2026_12=\nADMIN_TOKEN=c\n",
    );
    expect(written).toEqual(["PRIVATE_KEY", "ENCRYPTION_KEY"]);
  });

  test("with an empty ADMIN_TOKEN keeps the admin API off", async () => {
    const { written, vars } = await complete("ADMIN_TOKEN=\n");
    expect(written).toEqual(["PRIVATE_KEY", "ENCRYPTION_KEY"]);
    expect(vars["ADMIN_TOKEN"]).toBe("");
  });

  test("that gets a secret becomes readable by its owner only", async () => {
    const { path } = await complete("ADMIN_TOKEN=mine\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("that ends inside a quoted value is not changed", async () => {
    const path = join(temporaryDirectory(), ".dev.vars");
    const content = "AUDIENCE='open\n";
    writeFileSync(path, content);
    await expect(completeDevVars(path)).rejects.toThrow(
      "it cannot be appended because the file ends inside a quoted value. Close the quotation mark",
    );
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  test("that cannot be read is an error that says so", async () => {
    const directory = temporaryDirectory();
    await expect(completeDevVars(directory)).rejects.toThrow(
      `Cannot read ${directory}: `,
    );
  });
});
