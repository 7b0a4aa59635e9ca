import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");

/** The version of a package that is installed here. */
export function versionOf(name: string): string {
  // Not by `require`: not every package exports its package.json.
  const file = join(root, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string })
    .version;
}

/** The commit that is checked out, with a "+" if files have changed since. */
export function commit(): string {
  const options = ["--always", "--dirty=+", "--exclude=*"];
  try {
    const found = execFileSync("git", ["describe", ...options], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return found.trim();
  } catch {
    // No git, or no repository: an archive of the sources.
    return "unknown";
  }
}
