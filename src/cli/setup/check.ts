import { baseHash, SETTINGS_FILE } from "./settings.ts";

/*
 * wrangler runs this before every deploy with the settings of one's own (`build.command` in wrangler.json). After a
 * `git pull` a new version may need a variable or a binding that the settings do not have. A deploy without it
 * would fail for every user.
 */

const [hash] = process.argv.slice(2);
if (hash !== (await baseHash())) {
  process.stderr.write(
    `wrangler.toml has changed since ${SETTINGS_FILE} was made from it. Type \`npm run baton -- setup --update\`, which adds what is new to ${SETTINGS_FILE} and keeps your values.\n`,
  );
  // A local server goes on: it is not what people use.
  if (process.env["WRANGLER_COMMAND"] !== "dev") process.exitCode = 1;
}
