import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, it } from "vitest";

/** Tests the layout of src/: imports point down only, and the protocol does not depend on where it runs. */

const src = join(import.meta.dirname, "../src");

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
  .map((file) => ({ file, text: readFileSync(join(src, file), "utf8") }))
  .map(({ file, text }) => ({
    file,
    text,
    imports: [
      ...text.matchAll(
        /^\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm,
      ),
    ].map((match) => String(match[1] ?? match[2])),
  }));

/** The room of a file: its folder, a folder of `oauth/`, or its own name if it is at the top. */
function room(file: string): string {
  const [first = "", second = "", ...rest] = file.split("/");
  return first === "oauth" && rest.length > 0
    ? `${first}/${second}`
    : first.replace(/\.tsx?$/, "");
}

/** The rooms of the protocol: its ground floor, and the folders in it. */
const protocol = [
  "oauth",
  "oauth/authorization",
  "oauth/clients",
  "oauth/family",
  "oauth/logout",
  "oauth/openid",
  "oauth/self-registration",
  "oauth/tokens",
];

/** The files of `league/` that store league tokens, which needs Cloudflare. The others read the format. */
const leagueStorage = ["ledger", "ledgers", "token-repository"];

function runsOnPlainNode(file: string): boolean {
  const isFormat = !leagueStorage.some((name) => file === `league/${name}.ts`);
  return (
    [...protocol, "grants"].includes(room(file)) ||
    (room(file) === "league" && isFormat)
  );
}

function isAtTheTop(file: string): boolean {
  return !file.includes("/");
}

/** The rooms from which a room may import, besides itself. */
const mayImport: Record<string, string[]> = {
  index: ["app", "create-server", "league", "platform", "rpc"],
  rpc: ["app", "create-server", ...protocol],
  "create-server": ["config", "league", "platform", ...protocol],
  app: ["endpoints", ...protocol],
  config: ["league", "platform", ...protocol],
  endpoints: ["grants", "dpop", ...protocol],
  grants: protocol,
  league: ["platform", ...protocol],
  platform: protocol,
  "oauth/authorization": ["oauth", "oauth/openid"],
  "oauth/tokens": ["oauth", "oauth/openid"],
  "oauth/family": ["oauth", "oauth/openid"],
  "oauth/clients": ["oauth", "oauth/openid"],
  "oauth/logout": ["oauth", "oauth/openid"],
  "oauth/openid": ["oauth"],
  "oauth/self-registration": ["oauth"],
  oauth: [],
  // DPoP proofs, for `endpoints/` and `resource/`. It is copied with that.
  dpop: [],
  dev: ["index", "app", "create-server", "endpoints", ...protocol],
  cli: ["oauth", "oauth/openid"],
  // What other Workers import or copy.
  resource: ["dpop"],
};

const internalImports = files.map(({ file, imports }) => ({
  file,
  imports: imports
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) =>
      relative(src, normalize(join(src, dirname(file), specifier))),
    ),
}));

describe("src/", () => {
  it("has only rooms that have a place in the order, and the architecture page lists each of them", () => {
    const rooms = [...new Set(files.map(({ file }) => room(file)))].toSorted();
    expect(rooms).toEqual(Object.keys(mayImport).toSorted());
    const page = readFileSync(join(src, "../docs/architecture.md"), "utf8");
    for (const name of rooms)
      expect(page).toMatch(new RegExp(`^src/${name}(/|\\.ts) `, "m"));
  });

  it.each(internalImports)(
    "imports only downwards in $file",
    ({ file, imports }) => {
      const allowed = [room(file), ...(mayImport[room(file)] ?? [])];
      expect(
        imports.filter((target) => !allowed.includes(room(target))),
      ).toEqual([]);
    },
  );

  it("has no import cycle", () => {
    const targets = new Map(
      internalImports.map(({ file, imports }) => [file, imports]),
    );
    const cycles: string[][] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file))
        cycles.push([...path.slice(path.indexOf(file)), file]);
      else
        for (const target of targets.get(file) ?? [])
          visit(target, [...path, file]);
    };
    for (const { file } of internalImports) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("keeps Hono and Cloudflare out of the protocol, the grant types and the format of league tokens", () => {
    const foreign = files
      .filter(({ file }) => runsOnPlainNode(file))
      .flatMap(({ imports }) => imports)
      .filter((specifier) =>
        /hono|^cloudflare:|^@cloudflare|^node:/.test(specifier),
      );
    expect(foreign).toEqual([]);
  });

  it("lets resource/ import jose, and from Hono types only, because other Workers import it or copy it", () => {
    const foreign = files
      .filter(({ file }) => ["resource", "dpop"].includes(room(file)))
      .flatMap(({ file, imports }) =>
        imports
          .filter((specifier) => !specifier.startsWith("."))
          .map((specifier) => `${file}: ${specifier}`),
      );
    expect([...new Set(foreign)].toSorted()).toEqual([
      "dpop/proof.ts: jose",
      "dpop/proof.ts: jose/jws/compact/verify",
      "dpop/public-key.ts: jose",
      "dpop/public-key.ts: jose/base64url",
      "dpop/sha256.ts: jose/base64url",
      "resource/hono.ts: hono",
      "resource/keys.ts: jose",
      "resource/possession.ts: jose",
      "resource/verify.ts: jose",
    ]);
    const hono = files.find(({ file }) => file === "resource/hono.ts");
    expect(hono?.text).toContain(
      'import type { MiddlewareHandler } from "hono";',
    );
  });

  it("keeps what exists in workerd alone out of the protocol, the grant types, the format of league tokens and the files at the top", () => {
    const workerdOnly =
      /\btimingSafeEqual\b|\bscheduler\.|\bcaches\b|\bHTMLRewriter\b|\bWebSocketPair\b|\b(?:to|from)(?:Hex|Base64)\(/;
    const violations = files
      .filter(({ file }) => runsOnPlainNode(file) || isAtTheTop(file))
      .filter(({ text }) => workerdOnly.test(text))
      .map(({ file }) => file);
    expect(violations).toEqual([]);
  });

  it("lets the command line import only lists of names, the members of keys, the floor of secrets, the layout of refresh tokens and the claims of scopes from the server", () => {
    const imported = internalImports
      .filter(({ file }) => room(file) === "cli")
      .flatMap(({ imports }) => imports)
      .filter((target) => room(target) !== "cli");
    expect([...new Set(imported)].toSorted()).toEqual([
      "oauth/authentication-methods.ts",
      "oauth/grant-types.ts",
      "oauth/jwk-members.ts",
      "oauth/openid/scopes.ts",
      "oauth/refresh-token-layout.ts",
      "oauth/secret-floor.ts",
      "oauth/settings.ts",
    ]);
  });

  it("parses with oauth/schema.ts alone, because the messages of valibot itself quote the value", () => {
    const parses =
      /\bv\.(?:\w*[pP]arser?|is|assert)\b|import\s*\{[^}]*\}\s*from "valibot"/;
    const parsers = files
      .filter(({ text }) => parses.test(text))
      .map(({ file }) => file);
    expect(parsers).toEqual(["oauth/schema.ts"]);
  });

  it("keeps zod in the command line, because it would cost a starting isolate more than all else", () => {
    const users = files
      .filter(({ imports }) => imports.some((name) => name.includes("zod")))
      .map(({ file }) => room(file));
    expect([...new Set(users)]).toEqual(["cli"]);
  });

  it("imports the admin API when somebody asks for it, because its evaluation would delay every start", () => {
    const imports =
      /^import [^;]*? from "[./\w-]*\/admin\/|import\("[./\w-]*\/admin\//gm;
    const found = files
      .filter(({ file }) => !file.startsWith("endpoints/admin/"))
      .flatMap(({ file, text }) =>
        [...text.matchAll(imports)].map(([match]) => [file, match]),
      );
    expect(found).toEqual([["app.ts", 'import("./endpoints/admin/']]);
  });

  it("has one registry line for each grant type", () => {
    const registry = readFileSync(join(src, "grants/index.ts"), "utf8");
    const grantTypes = readdirSync(join(src, "grants")).filter(
      (file) => !["index.ts", "grant-type.ts"].includes(file),
    );
    expect(grantTypes.length).toBeGreaterThan(0);
    for (const file of grantTypes) expect(registry).toContain(`"./${file}"`);
  });

  it("is really read by this test: the token endpoint imports the grant types", () => {
    const token = internalImports.find(
      ({ file }) => file === "endpoints/token.ts",
    );
    expect(token?.imports).toContain("grants/index.ts");
  });
});
