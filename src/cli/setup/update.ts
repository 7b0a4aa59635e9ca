import { Failure } from "../failure.ts";
import { wranglerArguments } from "../secrets/wrangler.ts";
import { typed } from "./cloudflare.ts";
import type { Reporter } from "./reporter.ts";
import {
  environmentsOf,
  readBase,
  readSettings,
  SETTINGS_FILE,
  settingsText,
  updated,
  writeSettings,
} from "./settings.ts";

/** The result of `setup --update`. */
export interface UpdateResult {
  settings_file: string;
  changed: boolean;
}

/** Adds to the settings what is new in wrangler.toml. @throws Failure if there are no settings */
export async function updateSettings(
  reporter: Reporter,
  isRehearsal: boolean,
): Promise<UpdateResult> {
  const settings = await readSettings();
  if (!settings)
    throw new Failure(
      `There is no ${SETTINGS_FILE} yet. \`npm run baton -- setup\` writes it.`,
    );
  const text = await settingsText(updated(await readBase(), settings));
  const changed = text !== `${JSON.stringify(settings, undefined, 2)}\n`;
  reporter.step(`${SETTINGS_FILE}: what is new in wrangler.toml`);
  if (!changed) reporter.note("Nothing is new.");
  else if (isRehearsal) reporter.raw(text);
  else {
    await writeSettings(text);
    reporter.note("Added. Your values stay. Now deploy:");
    for (const env of environmentsOf(settings))
      reporter.command(typed(["deploy", ...wranglerArguments({ env })]));
  }
  return { settings_file: SETTINGS_FILE, changed };
}
