import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** The files that a Deploy to Cloudflare button reads: package.json, wrangler.toml and .dev.vars.example. */

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");

const { cloudflare } = JSON.parse(read("package.json")) as {
  cloudflare: { bindings: Record<string, { description: string }> };
};
const [, variables = ""] =
  /^\[vars\]\n([^]*?)\n\n(?:#|\[)[^]*?\n\[\[/m.exec(read("wrangler.toml")) ??
  [];

it("describes every variable, secret and binding, and nothing else", () => {
  const names = [
    ...variables.matchAll(/^([A-Z_]+) = /gm),
    ...read("wrangler.toml").matchAll(/^(?:binding|name) = "([A-Z_]+)"$/gm),
    ...read(".dev.vars.example").matchAll(/^([A-Z_]+)=/gm),
  ].map(([, name]) => String(name));
  expect(names.length).toBeGreaterThan(20);
  expect(Object.keys(cloudflare.bindings).toSorted()).toEqual(names.toSorted());
  for (const { description } of Object.values(cloudflare.bindings))
    expect(description).toMatch(/^[A-Z].*[\w.]$/);
});

it("has no secret in the file of which the button makes questions", () => {
  const values = [...read(".dev.vars.example").matchAll(/^[A-Z_]+=(.*)$/gm)];
  expect(values.map(([, value]) => value).join("")).toBe("");
});
