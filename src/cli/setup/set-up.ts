import { findConnection } from "../commands/connection.ts";
import { Failure } from "../failure.ts";
import { SETTINGS_FILE } from "../local/settings-file.ts";
import { devVarsPath } from "../local/wrangler.ts";
import { WranglerSecrets, wranglerArguments } from "../secrets/wrangler.ts";
import { type Answers, askForAnswers, type AnswerOptions } from "./answers.ts";
import { type AccountOptions, chooseAccount } from "./account.ts";
import { deploy, secretsOf, typed } from "./cloudflare.ts";
import {
  type FirstOptions,
  makeFirstRecords,
  parseScope,
  type Made,
} from "./first-records.ts";
import { hasKeys, type KeysMade, makeKeys } from "./keys.ts";
import { isWorkersDev, PRODUCTION } from "./address.ts";
import { sayWhatIsNext } from "./next-steps.ts";
import type { Questions } from "./questions.ts";
import type { Reporter } from "./reporter.ts";
import { waitForHealth, whoAnswersAt } from "./server.ts";
import {
  blockOf,
  type Deployment,
  hasDeployment,
  isUpToDate,
  type JsonObject,
  readBase,
  readSettings,
  settingsText,
  withDeployment,
  writeSettings,
} from "./settings.ts";

/** The options of `baton setup` for a deployed server. */
export interface SetupOptions
  extends AnswerOptions, AccountOptions, FirstOptions {
  takeOver?: true;
  wait: number;
  dryRun?: true;
}

/** The parts that all steps use. */
export interface Setup {
  reporter: Reporter;
  questions: Questions;
  asJson: boolean;
}

/** The result, for --json. */
export interface SetupResult extends Partial<Made> {
  environment: string;
  worker: string;
  issuer: string;
  settings_file: string;
  secrets: { made: string[]; kept: string[] };
  deployed: boolean;
  health?: string;
  /** Shown this one time. */
  admin_token?: string;
}

/**
 * Deploys a server, from the settings to the first client. Each step first looks at what is there, so that setup
 * can be interrupted anywhere and run again.
 *
 * @throws Failure that names the step and what to do
 */
export async function setUp(
  options: SetupOptions,
  setup: Setup,
): Promise<SetupResult> {
  const { reporter, asJson } = setup;
  const isRehearsal = options.dryRun === true;
  // Before all else, because an option that is wrong must change nothing.
  options.scope?.forEach(parseScope);
  const settings = await readSettings();
  const answers = await askForAnswers(
    options,
    setup.questions,
    readBase,
    settings,
  );
  const { environment, worker, issuer } = answers;
  const isNew = blockOf(settings, environment) === undefined;
  if (isRehearsal)
    reporter.note(
      "This is a rehearsal: nothing is changed, and Cloudflare is not asked.",
    );
  reporter.note(
    `${environment}: the Worker ${worker} at ${issuer}, ${answers.loginUrl === "" ? "without a sign-in page" : `with the sign-in page ${answers.loginUrl}`}.`,
  );

  reporter.step("1. Cloudflare account");
  const account = await chooseAccount(options, settings, setup);
  if (isNew) {
    reporter.step("2. Name and address are free");
    await checkIsFree(options, answers, account, reporter);
  }

  reporter.step(`3. Settings in ${SETTINGS_FILE}`);
  await keepSettings(settings, { ...answers, account }, setup, isRehearsal);

  // Before the deploy: a Worker that is deployed without keys answers 500 until it has them.
  reporter.step("4. Secrets");
  const env = environment === PRODUCTION ? undefined : environment;
  const keys = await keepKeys(env, reporter, isRehearsal);

  reporter.step("5. Deploy");
  reporter.command(typed(["deploy", ...wranglerArguments({ env })]));
  const isDeployed = !isRehearsal && (await deployWorker(env, answers, setup));

  reporter.step("6. Health");
  const token = keys.adminToken ?? (await knownToken(issuer));
  reporter.command(
    `curl -H "Authorization: Bearer $BATON_ADMIN_TOKEN" ${issuer}/health`,
  );
  const health = isRehearsal
    ? undefined
    : await waitForHealth(issuer, token, options.wait);
  if (health) reporter.note(health.status);

  reporter.step("7. First scopes and client");
  const made = await makeFirstRecords(
    options,
    { url: issuer, token, isRehearsal, wait: options.wait },
    setup,
  );
  const hasProduction =
    environment === PRODUCTION || blockOf(settings, PRODUCTION) !== undefined;
  sayWhatIsNext(answers, keys, hasProduction, reporter);
  return {
    environment,
    worker,
    issuer,
    settings_file: SETTINGS_FILE,
    secrets: { made: isRehearsal ? [] : keys.made, kept: keys.kept },
    deployed: isDeployed,
    ...(health && { health: health.status }),
    ...(!isRehearsal &&
      keys.adminToken !== undefined && { admin_token: keys.adminToken }),
    ...(asJson && made),
  };
}

/**
 * Refuses a name and an address that somebody else uses. wrangler without a terminal would overwrite the Worker, and
 * take a custom domain from the Worker that has it.
 */
async function checkIsFree(
  { takeOver, dryRun }: SetupOptions,
  { worker, issuer }: Answers,
  account: string | undefined,
  reporter: Reporter,
): Promise<void> {
  reporter.command(typed(["secret", "list", "--name", worker]));
  reporter.command(`curl -i ${issuer}/health`);
  if (dryRun) return;
  if (account !== undefined) process.env["CLOUDFLARE_ACCOUNT_ID"] = account;
  const [secrets, answering] = await Promise.all([
    secretsOf(["--name", worker]),
    whoAnswersAt(issuer),
  ]);
  const isBaton = secrets !== undefined && hasKeys(secrets);
  if (secrets && !isBaton && !takeOver)
    throw new Failure(
      `The account has a Worker ${worker} already, and it is not a Baton: it has no PRIVATE_KEY and no ENCRYPTION_KEY. A deploy would overwrite it. Choose another name with --name. If it may be overwritten, add --take-over.`,
    );
  if (answering === "another" && !takeOver)
    throw new Failure(
      `Something answers at ${issuer} already, and it is not Baton. A deploy would take the address from it. Choose another address with --issuer. If Baton may have it, add --take-over.`,
    );
  if (answering === "this server" && !isBaton && !takeOver)
    throw new Failure(
      `A Baton answers at ${issuer} already, and it is not the Worker ${worker} of this account. Choose another address with --issuer, or give the name of its Worker with --name. If the new one may have the address, add --take-over.`,
    );
  reporter.note(
    isBaton
      ? `${worker} is a Baton already. Setup goes on with it and keeps its keys.`
      : "yes",
  );
}

async function keepSettings(
  settings: JsonObject | undefined,
  deployment: Deployment,
  { reporter }: Setup,
  isRehearsal: boolean,
): Promise<void> {
  if (
    settings &&
    hasDeployment(settings, deployment) &&
    (await isUpToDate(settings))
  ) {
    reporter.note("They are there already.");
    return;
  }
  const base = await readBase();
  const text = await settingsText(withDeployment(base, settings, deployment));
  if (isRehearsal) {
    reporter.note(`Would write ${SETTINGS_FILE}:`);
    reporter.raw(text);
    return;
  }
  await writeSettings(text);
  reporter.note(
    `Written. wrangler reads ${SETTINGS_FILE} in place of wrangler.toml. It has no secrets, and the project never has this file: commit it to your fork, so that every machine deploys the same.`,
  );
}

async function keepKeys(
  env: string | undefined,
  reporter: Reporter,
  isRehearsal: boolean,
): Promise<KeysMade> {
  const store = new WranglerSecrets({ env });
  const chosen = wranglerArguments({ env });
  reporter.command(typed(["secret", "list", ...chosen]));
  const names = isRehearsal ? [] : ((await secretsOf(chosen)) ?? []);
  return makeKeys(store, names, reporter, isRehearsal);
}

/** @returns false: the server runs already, and the user does not want another deploy */
async function deployWorker(
  env: string | undefined,
  { issuer, worker }: Answers,
  { reporter, questions, asJson }: Setup,
): Promise<boolean> {
  const isRunning = (await whoAnswersAt(issuer)) === "this server";
  if (
    isRunning &&
    !(await questions.confirm(
      `  The server runs already. Deploy what is checked out here?`,
    ))
  ) {
    reporter.note("Not deployed.");
    return false;
  }
  const targets = await deploy(env, asJson);
  const address = targets.find((target) => target.includes(".workers.dev"));
  if (isWorkersDev(issuer) && address !== undefined) {
    const { origin } = new URL(address);
    if (origin !== issuer)
      throw new Failure(
        `The Worker ${worker} was deployed at ${origin}, and ISSUER is ${issuer}. Run setup again with --issuer ${origin}.`,
      );
  }
  return true;
}

/** The admin token of an earlier run, from the environment. */
async function knownToken(issuer: string): Promise<string | undefined> {
  const { token } = await findConnection(
    { url: issuer },
    process.env,
    devVarsPath,
  ).catch(() => ({ token: undefined }));
  return token;
}
