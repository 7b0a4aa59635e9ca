import { UsageError } from "../failure.ts";
import {
  environmentProblem,
  issuerProblem,
  loginUrlProblem,
  PRODUCTION,
  workerNameProblem,
} from "./address.ts";
import type { Questions } from "./questions.ts";
import { blockOf, type JsonObject, variablesOf } from "./settings.ts";

/** The options that answer the questions. */
export interface AnswerOptions {
  env?: string;
  issuer?: string;
  loginUrl?: string;
  name?: string;
}

/** What the settings need to know. */
export interface Answers {
  environment: string;
  worker: string;
  issuer: string;
  loginUrl: string;
}

/**
 * Takes the answers from the options, then from the settings of an earlier run, then from the user.
 *
 * @throws UsageError if an option cannot be used, or nobody can answer
 */
export async function askForAnswers(
  options: AnswerOptions,
  questions: Questions,
  readBase: () => Promise<JsonObject>,
  settings: JsonObject | undefined,
): Promise<Answers> {
  const environment =
    checked("--env", options.env, environmentProblem) ??
    (await questions.ask({
      text: "Which environment? production, staging or a name of yours",
      option: "--env",
      fallback: PRODUCTION,
      problem: environmentProblem,
    }));
  const block = blockOf(settings, environment);
  const givenName = checked("--name", options.name, workerNameProblem);
  const wrongLogin = (url: string) =>
    url === "" ? undefined : loginUrlProblem(url);
  const givenLogin = checked("--login-url", options.loginUrl, wrongLogin);
  const base = block ? {} : await readBase();
  const baseName = textOf(base["name"]) ?? "baton";
  const worker =
    givenName ??
    (block && textOf(block["name"])) ??
    (environment === PRODUCTION ? baseName : `${baseName}-${environment}`);

  // An ISSUER in wrangler.toml is that of a deploy by hand, which setup then goes on with.
  const variables = variablesOf(
    block ?? (environment === PRODUCTION ? base : undefined),
  );
  const wrongIssuer = (issuer: string) => issuerProblem(issuer, worker);
  const issuer =
    checked("--issuer", options.issuer, wrongIssuer) ??
    (await questions.ask({
      text: `The server's address: https://auth.example.com in a domain of your Cloudflare account,\nor, without a domain, https://${worker}.SUBDOMAIN.workers.dev with the subdomain of your account\n(Workers & Pages in the dashboard shows it). Address`,
      option: "--issuer",
      fallback: textOf(variables["ISSUER"]),
      problem: wrongIssuer,
    }));
  const loginUrl =
    givenLogin ??
    (await questions.ask({
      text: "Your sign-in page, to which /authorize leads (empty: none yet)",
      option: "--login-url",
      fallback: textOf(variables["LOGIN_URL"]) ?? "",
      problem: wrongLogin,
    }));
  return { environment, worker, issuer, loginUrl };
}

/** @throws UsageError with the name of the option */
function checked(
  option: string,
  value: string | undefined,
  problemOf: (value: string) => string | undefined,
): string | undefined {
  const problem = value === undefined ? undefined : problemOf(value);
  if (problem !== undefined) throw new UsageError(`${option} ${problem}.`);
  return value;
}

/** Undefined: not a text, or an empty one. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
