import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { describe, expect, test } from "vitest";
import { DevVarsSecrets } from "../../../src/cli/secrets/dev-vars.ts";
import { putNew } from "../../../src/cli/secrets/secret-store.ts";
import { temporaryDirectory } from "../support.ts";

/** A store whose file has this content. */
function storeWith(content?: string) {
  const path = join(temporaryDirectory(), ".dev.vars");
  if (content !== undefined) writeFileSync(path, content);
  return {
    path,
    store: new DevVarsSecrets(path),
    text: () => readFileSync(path, "utf8"),
  };
}

const pem = "-----BEGIN PRIVATE KEY-----\nAAAA=\n-----END PRIVATE KEY-----";

describe("the secrets of .dev.vars", () => {
  test("are the variables that have a value", async () => {
    const { store } = storeWith("A=1\nB=\nexport C='x y'\nD=\"''\"\n");
    expect(await store.names()).toEqual(["A", "C"]);
    expect(await storeWith().store.names()).toEqual([]);
  });

  test.each([
    ["that ends with a line break", "# mine\nA = b # why\n", ""],
    ["without a line break at its end", "# mine\n\nA=b", "\n"],
    ["with Windows line breaks", "# mine\r\nA=b\r\n", ""],
    ["that is empty", "", ""],
  ])(
    "in a file %s get one more, and every byte stays",
    async (_, content, gap) => {
      const { store, text } = storeWith(content);
      await putNew(store, "NEW", '{"d":"x"}');
      const end = content.includes("\r") ? "\r\n" : "\n";
      expect(text()).toBe(`${content}${gap}NEW='{"d":"x"}'${end}`);
    },
  );

  test("are made with the file, for its owner only", async () => {
    const { store, path, text } = storeWith();
    await store.put("NEW", "value");
    expect(text()).toBe("NEW='value'\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("stay in a file that nobody else may read, and no other file is left", async () => {
    const { store, path } = storeWith("A=b\n");
    chmodSync(path, 0o644);
    await store.put("NEW", "value");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(path))).toEqual([".dev.vars"]);
  });

  test("behind a link are changed where the link leads", async () => {
    const { path } = storeWith("A=b\n");
    const link = join(temporaryDirectory(), "link");
    symlinkSync(path, link);
    await new DevVarsSecrets(link).put("NEW", "value");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(parseEnv(readFileSync(path, "utf8"))).toEqual({
      A: "b",
      NEW: "value",
    });
  });

  test("tell a running wrangler dev, which watches wrangler.toml alone", async () => {
    const { path, store } = storeWith("A=b\n");
    const config = join(dirname(path), "wrangler.toml");
    writeFileSync(config, "# mine\n");
    for (const change of [() => store.put("B", "c"), () => store.delete("A")]) {
      utimesSync(config, 1, 1);
      await change();
      expect(statSync(config).mtimeMs).toBeGreaterThan(1000);
    }
    expect(readFileSync(config, "utf8")).toBe("# mine\n");
  });

  test("tell a running wrangler dev, which watches wrangler.json where setup has made one", async () => {
    const { path, store } = storeWith("A=b\n");
    const settings = join(dirname(path), "wrangler.json");
    writeFileSync(settings, "{}");
    for (const change of [() => store.put("B", "c"), () => store.delete("A")]) {
      utimesSync(settings, 1, 1);
      await change();
      expect(statSync(settings).mtimeMs).toBeGreaterThan(1000);
    }
    expect(store.putCommand("B", "make")).toContain(
      "touch wrangler.toml wrangler.json",
    );
  });

  test("are never replaced by putNew, unless they have no value", async () => {
    const { store, text } = storeWith("A=b\nEMPTY=\n");
    await expect(putNew(store, "A", "other")).rejects.toThrow(
      "A was not set, because .dev.vars already has a secret with this name, and it would be lost. Choose another name.",
    );
    expect(text()).toBe("A=b\nEMPTY=\n");
    await putNew(store, "EMPTY", "value");
    expect(text()).toBe("A=b\nEMPTY='value'\n");
  });

  test("have at most 5 KB", async () => {
    const { store, path } = storeWith();
    await expect(putNew(store, "A", "x".repeat(5121))).rejects.toThrow(
      "A was not set, because its value has 5121 bytes and a secret has at most 5120.",
    );
    expect(existsSync(path)).toBe(false);
    await putNew(store, "A", "x".repeat(5120));
  });

  test.each([
    ["on one line", "OLD=value # why\n"],
    ["with export and spaces", "  export OLD = 'value' # why\n"],
    ["on several lines", `OLD="${pem}"\n`],
    ["set twice", "OLD=one\nOLD=two\n"],
    ["on the last line, without a line break", "OLD=value"],
  ])("can be removed: one %s", async (_, lines) => {
    const [before, after] = ["# mine\nA='x'\n", "B = y\nOLDER=1\nNOT_OLD=2\n"];
    const isLast = !lines.endsWith("\n");
    const { store, text } = storeWith(
      isLast ? `${before}${after}${lines}` : `${before}${lines}${after}`,
    );
    await store.delete("OLD");
    expect(text()).toBe(`${before}${after}`);
  });

  test("can't be removed if there is none of the name", async () => {
    const { store, path, text } = storeWith("A=b\n");
    await expect(store.delete("B")).rejects.toThrow(`${path} has no B.`);
    expect(text()).toBe("A=b\n");
  });

  test("are not touched where a change would alter another value", async () => {
    const content = "A='first\nOLD=inside\nlast'\nOLD=real\n";
    const { store, text } = storeWith(content);
    await expect(store.delete("OLD")).rejects.toThrow("was not changed");
    expect(text()).toBe(content);
    const open = storeWith("A='a\nB=`b\nC=\"c\n");
    await expect(open.store.put("NEW", "value")).rejects.toThrow(
      "either the file ends inside a quoted value",
    );
    expect(open.text()).toBe("A='a\nB=`b\nC=\"c\n");
  });

  test("keep a value with quotation marks as it is", async () => {
    const { store, text } = storeWith();
    for (const [name, value] of [
      ["A", "it's"],
      ["B", 'a "b" c'],
      ["C", "`x` 'y'"],
      ["D", 'from=2026-12-01T10:00:00Z;{"kty":"OKP"}'],
    ] as const)
      await store.put(name, value);
    expect(parseEnv(text())).toEqual({
      A: "it's",
      B: 'a "b" c',
      C: "`x` 'y'",
      D: 'from=2026-12-01T10:00:00Z;{"kty":"OKP"}',
    });
  });
});
