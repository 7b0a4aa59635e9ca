import { basename } from "node:path";
import { completeDevVars } from "../local/dev-vars.ts";
import { devVarsPath } from "../local/wrangler.ts";
import type { Reporter } from "./reporter.ts";

/** The result of `setup --local`. */
export interface LocalResult {
  file: string;
  made: string[];
}

/** Writes `.dev.vars`, as the first `npm run dev` does, and says what comes next. */
export async function setUpLocally(
  reporter: Reporter,
  isRehearsal: boolean,
): Promise<LocalResult> {
  const file = basename(devVarsPath);
  reporter.step("Secrets for a server on this machine");
  if (isRehearsal) {
    reporter.note(`Would add to ${file} the secrets that it lacks.`);
    return { file, made: [] };
  }
  const made = await completeDevVars(devVarsPath);
  reporter.note(
    made.length === 0
      ? `${file} has all secrets, and was not changed.`
      : `Wrote to ${file}: ${made.join(", ")}. They are new and for this machine only; git ignores the file.`,
  );
  reporter.step("Now start the server");
  reporter.command("npm run dev");
  reporter.note(
    "It has a sign-in page for development. Without the page, and so without /authorize:",
  );
  reporter.command("npx wrangler dev");
  return { file, made };
}
