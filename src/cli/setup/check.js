import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/*
 * wrangler runs this before every deploy with the settings of one's own (`build.command` in wrangler.json). After a
 * `git pull` a new version may need a variable or a binding that the settings do not have. A deploy without it
 * would fail for every user.
 *
 * This file is plain JavaScript and imports nothing of the project, because wrangler starts it with the Node of the
 * machine, which may be too old for TypeScript. `baseHash` in settings.ts makes the same hash.
 */

const base = new URL("../../../wrangler.toml", import.meta.url);
const text = (await readFile(base, "utf8")).replaceAll("\r\n", "\n");
const now = createHash("sha256").update(text).digest("hex").slice(0, 16);
const [before, production] = process.argv.slice(2);
const problem =
  before !== now
    ? "wrangler.toml has changed since wrangler.json was made from it. Type `npm run baton -- setup --update`, which adds what is new to wrangler.json and keeps your values."
    : production === "no-production"
      ? "wrangler.json has no production: its top has no ISSUER. Deploy another environment with `npx wrangler deploy --env NAME`, or make production with `npm run baton -- setup --env production`."
      : undefined;
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  // A local server goes on: it is not what people use.
  if (process.env.WRANGLER_COMMAND !== "dev") process.exitCode = 1;
}
