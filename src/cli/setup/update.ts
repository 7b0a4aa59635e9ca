import { Failure } from "../failure.ts";
import { wranglerArguments } from "../secrets/wrangler.ts";
import { SETTINGS_FILE } from "../local/settings-file.ts";
import { typed } from "./cloudflare.ts";
import { type NotTaken, notTaken } from "./not-taken.ts";
import type { Reporter } from "./reporter.ts";
import {
  environmentsOf,
  readBase,
  readSettings,
  settingsText,
  updated,
  writeSettings,
} from "./settings.ts";

/** The result of `setup --update`. */
export interface UpdateResult {
  settings_file: string;
  changed: boolean;
  /** The values of wrangler.toml that differ from those of the settings, which count. */
  not_taken: NotTaken[];
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
  const base = await readBase();
  const after = updated(base, settings);
  const text = await settingsText(after);
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
  const left = notTaken(base, after);
  sayWhatWasNotTaken(left, reporter);
  return { settings_file: SETTINGS_FILE, changed, not_taken: left };
}

function sayWhatWasNotTaken(left: NotTaken[], reporter: Reporter): void {
  if (left.length === 0) return;
  const lines = left.map(
    (one) =>
      `  ${one.setting}: ${JSON.stringify(one["wrangler.toml"])} in wrangler.toml, ${JSON.stringify(one["wrangler.json"])} in ${SETTINGS_FILE}`,
  );
  reporter.note(
    [
      `These values differ. Those of wrangler.toml were not taken and have no effect, because wrangler reads ${SETTINGS_FILE}. If you want them, set them in ${SETTINGS_FILE}:`,
      ...lines,
    ].join("\n"),
  );
}
