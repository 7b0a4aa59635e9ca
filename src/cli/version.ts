import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./local/wrangler.ts";

/** The version of this checkout. */
export const { version } = JSON.parse(
  readFileSync(join(projectDirectory, "package.json"), "utf8"),
) as { version: string };
