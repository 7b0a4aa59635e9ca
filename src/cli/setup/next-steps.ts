import type { Answers } from "./answers.ts";
import { PRODUCTION } from "./address.ts";
import type { KeysMade } from "./keys.ts";
import type { Reporter } from "./reporter.ts";

/** Says what to do when a server is set up. */
export function sayWhatIsNext(
  { issuer, loginUrl, environment }: Answers,
  { adminToken }: KeysMade,
  hasProduction: boolean,
  reporter: Reporter,
): void {
  reporter.step("Next");
  reporter.note("For the commands of this command line, in each terminal:");
  reporter.command(`export BATON_URL=${issuer}`);
  reporter.command(
    adminToken === undefined
      ? "export BATON_ADMIN_TOKEN=…   (the admin token of this server)"
      : "export BATON_ADMIN_TOKEN=…   (the admin token that step 4 has shown)",
  );
  reporter.note(
    "Or once, in a profile, which asks for the admin token and keeps it on this machine:",
  );
  const ofEnvironment =
    environment === PRODUCTION ? "" : ` --wrangler-env ${environment}`;
  reporter.command(
    `npm run baton -- profiles add ${environment} --url ${issuer}${ofEnvironment}`,
  );
  reporter.command(`npm run baton -- --env ${environment} health`);
  if (!hasProduction)
    reporter.note(
      `production is not set up, so \`npx wrangler deploy\` without --env ${environment} stops. To make it: npm run baton -- setup --env ${PRODUCTION}`,
    );
  if (loginUrl === "")
    reporter.note(
      `There is no sign-in page yet, and so no /authorize. docs/login.md says how to make one. Then: npm run baton -- setup --env ${environment} --login-url URL`,
    );
  reporter.note(
    "If AI clients get an HTML page or 403: docs/deployment.md has the bot rules.",
  );
}
