import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, it } from "vitest";

/** What runs the tools is in the lock file, by its hash: nothing else is fetched at the installation. */

const root = join(import.meta.dirname, "..");

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

interface Locked {
  version: string;
  integrity?: string;
  resolved?: string;
  optional?: boolean;
  hasInstallScript?: boolean;
  os?: string | string[];
  cpu?: string | string[];
  bin?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(read("package-lock.json")) as {
  packages: Record<string, Locked>;
};
const { "": project, ...installed } = packages;

/** The packages whose install script is not run, and why they work without it. */
const withoutTheirScript: Record<string, string> = {
  "@modelcontextprotocol/inspector":
    "the script installs in a checkout of its sources only",
  esbuild:
    "the script puts the platform's binary in the place of a starter in JavaScript; its library starts the binary itself",
  workerd:
    "the script puts the platform's binary in the place of a starter in JavaScript; wrangler starts the binary itself",
};

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** "linux x64": the one platform that a package is for. */
function platformOf({ os = [], cpu = [] }: Locked): string {
  return [os, cpu].flat().join(" ");
}

/** The locked packages that a package wants if the platform is theirs. */
function optionalOf(dependent: Locked | undefined): Locked[] {
  return Object.keys(dependent?.optionalDependencies ?? {}).map((name) => {
    const found = installed[`node_modules/${name}`];
    if (!found) throw new Error(`the lock file lacks ${name}`);
    return found;
  });
}

describe("the lock file", () => {
  it("has a hash for every package, and names no registry", () => {
    expect(Object.keys(installed).length).toBeGreaterThan(100);
    for (const [path, { integrity, resolved }] of Object.entries(installed)) {
      expect(integrity, path).toMatch(/^sha512-[\w+/]{86}==$/);
      expect(resolved, path).toBeUndefined();
    }
  });

  it("has install scripts of these packages only, and none is run", () => {
    const names = Object.entries(installed)
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => nameOf(path));
    expect(names.toSorted()).toEqual(Object.keys(withoutTheirScript));
    expect(read(".npmrc").split("\n")).toContain("ignore-scripts=true");
  });
});

describe("the Node that runs the scripts", () => {
  const nodes = optionalOf(project).filter(({ bin }) => bin?.["node"]);

  it("is in the lock file for each platform of workerd, in one version", () => {
    const workerd = optionalOf(installed["node_modules/workerd"]);
    expect(workerd.map(platformOf)).toContain("darwin arm64");
    expect(nodes.map(platformOf).toSorted()).toEqual(
      workerd.map(platformOf).toSorted(),
    );
    expect(nodes.every(({ optional }) => optional)).toBe(true);
    expect(new Set(nodes.map(({ version }) => version)).size).toBe(1);
  });

  it("is first on the PATH of npm's scripts, whichever Node starts npm", () => {
    const PATH = (process.env["PATH"] ?? "")
      .split(delimiter)
      .filter((folder) => !folder.includes("node_modules"))
      .join(delimiter);
    const version = execFileSync("npm", ["exec", "-c", "node --version"], {
      cwd: root,
      env: { ...process.env, PATH },
      encoding: "utf8",
    }).trim();
    expect(version).toBe(`v${nodes[0]?.version}`);
  });

  it("is new enough for wrangler, which needs 22, and for TypeScript without a flag and without a warning", () => {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    expect(major * 1000 + minor).toBeGreaterThanOrEqual(22_018);
  });
});
