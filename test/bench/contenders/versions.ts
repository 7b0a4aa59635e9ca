import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");

/** The installed version of a package. */
export function versionOf(name: string): string {
  // Not by `require`, because some packages do not export their package.json.
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
    // There is no git or no repository, as in an archive of the sources.
    return "unknown";
  }
}
