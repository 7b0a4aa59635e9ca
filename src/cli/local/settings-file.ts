import { existsSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./wrangler.ts";

/** The settings that setup writes. wrangler reads this file in place of wrangler.toml. */
export const SETTINGS_FILE = "wrangler.json";
export const settingsPath = join(projectDirectory, SETTINGS_FILE);

/** The settings of the repository. `npm run dev` reads them in any case. */
export const BASE_FILE = "wrangler.toml";

/** Returns the file that has the settings of deployed servers, so that a remedy names the one that has an effect. */
export function settingsFile(): string {
  return existsSync(settingsPath) ? SETTINGS_FILE : BASE_FILE;
}
