import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, it } from "vitest";

/** The house: imports point down only, and the protocol knows nothing of where it runs. */

const src = join(import.meta.dirname, "../src");

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
  .map((file) => ({
    file,
    imports: [
      ...readFileSync(join(src, file), "utf8").matchAll(
        /^\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm,
      ),
    ].map((match) => String(match[1] ?? match[2])),
  }));

/** The room a file is in: its folder, or its own name at the top. */
function room(file: string): string {
  const [first = ""] = file.split("/");
  return first.replace(/\.tsx?$/, "");
}

/** Which rooms a room may import from, beside itself. */
const mayImport: Record<string, string[]> = {
  index: ["app", "connect", "platform", "rpc"],
  rpc: ["connect", "oauth"],
  connect: ["config", "platform", "league", "oauth"],
  app: ["endpoints", "oauth"],
  config: ["platform", "league", "oauth"],
  endpoints: ["grants", "oauth"],
  grants: ["oauth"],
  platform: ["oauth"],
  league: ["oauth"],
  oauth: [],
  dev: ["index", "app", "connect", "endpoints", "oauth"],
  cli: [],
};

const inside = files.map(({ file, imports }) => ({
  file,
  imports: imports
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) =>
      relative(src, normalize(join(src, dirname(file), specifier))),
    ),
}));

describe("the house", () => {
  it("has only rooms with a place in the order, and the README shows where each is", () => {
    const rooms = [...new Set(files.map(({ file }) => room(file)))].toSorted();
    expect(rooms).toEqual(Object.keys(mayImport).toSorted());
    const readme = readFileSync(join(src, "../README.md"), "utf8");
    for (const name of rooms)
      expect(readme).toMatch(new RegExp(`^src/${name}(/|\\.ts) `, "m"));
  });

  it.each(inside)("imports point down only: $file", ({ file, imports }) => {
    const allowed = [room(file), ...(mayImport[room(file)] ?? [])];
    expect(imports.filter((target) => !allowed.includes(room(target)))).toEqual(
      [],
    );
  });

  it("has no file that imports itself by a detour", () => {
    const targets = new Map(inside.map(({ file, imports }) => [file, imports]));
    const cycles: string[][] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file))
        cycles.push([...path.slice(path.indexOf(file)), file]);
      else
        for (const target of targets.get(file) ?? [])
          visit(target, [...path, file]);
    };
    for (const { file } of inside) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("keeps Hono and Cloudflare out of the protocol and its grants", () => {
    const foreign = files
      .filter(({ file }) => ["oauth", "grants", "league"].includes(room(file)))
      .flatMap(({ imports }) => imports)
      .filter((specifier) =>
        /hono|^cloudflare:|^@cloudflare|^node:/.test(specifier),
      );
    expect(foreign).toEqual([]);
  });

  it("has one registry line for each grant", () => {
    const registry = readFileSync(join(src, "grants/index.ts"), "utf8");
    const grants = readdirSync(join(src, "grants")).filter(
      (file) => !["index.ts", "grant.ts"].includes(file),
    );
    expect(grants.length).toBeGreaterThan(0);
    for (const grant of grants) expect(registry).toContain(`"./${grant}"`);
  });

  it("reads files at all: the token endpoint imports the grants", () => {
    const token = inside.find(({ file }) => file === "endpoints/token.ts");
    expect(token?.imports).toContain("grants/index.ts");
  });
});
