import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** Tests the bundle that `npx wrangler deploy` would upload, without uploading it. */

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "baton-bundle-"));

async function bundle(name: string, ...entry: string[]): Promise<string> {
  const outdir = join(folder, name);
  const options = ["--dry-run", "--outdir", outdir];
  await promisify(execFile)(
    join(root, "node_modules/.bin/wrangler"),
    ["deploy", ...entry, ...options],
    {
      cwd: root,
      env: {
        ...process.env,
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
      },
    },
  );
  const scripts = readdirSync(outdir).filter((file) => file.endsWith(".js"));
  expect(scripts).toHaveLength(1);
  return readFileSync(join(outdir, scripts[0]!), "utf8");
}

let deployed: string;
let local: string;

beforeAll(async () => {
  deployed = await bundle("deployed");
  local = await bundle("local", "src/dev/index.ts");
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("the deployed Worker", () => {
  it("can be told from a local one by strings in the bundle", () => {
    expect(local).toContain("/dev/login");
    expect(local).toContain("development server");
    expect(deployed).toContain("/authorize");
  });

  it("stays small, because every new isolate compiles it before its first answer", () => {
    // Clients that register themselves and protected resources made it 44 KiB larger (15 in gzip): registration 12, the admin
    // API 11, metadata documents 9, the rules and records of resources 6, consent and step-up 2. A start evaluates 15 KiB
    // of it. Keys that clients prove made it 48 KiB larger again (17 in gzip): assertions and their keys 16, proofs 7,
    // certificates 6, late holders and theft 3, and the rest in records, texts and the admin API.
    expect(deployed.length).toBeLessThan(396 * 1024);
    expect(gzipSync(deployed).length).toBeLessThan(137 * 1024);
  });

  it("has no literal with large classes of Unicode, because every start would read their tables", () => {
    const literals = deployed.replaceAll(/String\.raw`[^`]*`/g, "");
    expect(literals).not.toMatch(/\\p\{(?!Cc\})/i);
  });

  it("loads no module of Node before it is needed, because each costs every start milliseconds", () => {
    expect(deployed).toContain('from"cloudflare:workers"');
    expect(deployed).not.toMatch(/\b(?:from|import)\s*"node:/);
    expect(deployed).toContain('import("node:crypto")');
  });

  it("does not set a function's name each time it is made, because a request makes dozens of functions", () => {
    expect(deployed).not.toMatch(/\((\w+),(\w+)\)=>\w+\(\1,"name",\{value:\2/);
  });

  it("does not contain the development sign-in page, so that no setting can turn it on", () => {
    expect(deployed).not.toContain("/dev/login");
    expect(deployed).not.toContain("/dev/logout");
    expect(deployed).not.toContain("development server");
  });

  it("does not contain the rule for the names of containers, so that no ISSUER of plain http turns it on", () => {
    // The rule for private hosts has the other names too, and not "test".
    expect(local).toContain("localhost|test|home\\.arpa");
    expect(deployed).not.toContain("localhost|test|home\\.arpa");
  });
});
