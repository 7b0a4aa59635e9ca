import { setTimeout as sleep } from "node:timers/promises";
import { findConnection } from "../commands/connection.ts";
import { ApiError, UsageError } from "../failure.ts";
import { devVarsPath } from "../local/wrangler.ts";
import { quote, quoteArgument } from "../shell.ts";
import type { Questions } from "./questions.ts";
import type { Reporter } from "./reporter.ts";
import { FirstRecords, type NewClient } from "./server.ts";

/** The options that name the first scopes and the first client. */
export interface FirstOptions {
  scope?: string[];
  client?: string;
  redirectUri?: string;
}

/** What was made. */
export interface Made {
  scopes: string[];
  client?: NewClient;
}

interface Server {
  url: string;
  /** Undefined: setup does not know it, because it was made in an earlier run. */
  token: string | undefined;
  isRehearsal: boolean;
  /** Seconds. */
  wait: number;
}

interface Tools {
  reporter: Reporter;
  questions: Questions;
}

const RETRY_MS = 2_000;

/** Makes the first scopes and the first client, as far as they are given or answered, and are not there. */
export async function makeFirstRecords(
  options: FirstOptions,
  { url, token, isRehearsal, wait }: Server,
  tools: Tools,
): Promise<Made> {
  const { reporter } = tools;
  const given = options.scope?.map(parseScope);
  if (!isRehearsal && token === undefined) {
    reporter.note(
      `The server's admin token is from an earlier run. With it in BATON_ADMIN_TOKEN, and BATON_URL=${url}, setup makes scopes and clients. If it is lost, set a new one: openssl rand -base64 32 | npx wrangler secret put ADMIN_TOKEN`,
    );
    return { scopes: [] };
  }
  const records =
    token === undefined
      ? undefined
      : new FirstRecords(
          await findConnection(
            { url },
            { BATON_URL: url, BATON_ADMIN_TOKEN: token },
            devVarsPath,
          ),
        );
  const before = isRehearsal || !records ? [] : await accepted(records, wait);
  const scopes = await scopesToMake(given, before, tools, isRehearsal);
  for (const [name, description] of scopes) {
    reporter.command(
      `npm run baton -- scopes put ${quoteArgument(name)} ${quote(description)}`,
    );
    if (!isRehearsal) await records?.putScope(name, description);
  }
  const known = isRehearsal || !records ? [] : await records.clients();
  const made = { scopes: scopes.map(([name]) => name) };
  const all = [...new Set([...before, ...made.scopes])].join(" ");
  const name = await clientToMake(options, known, tools, isRehearsal);
  if (name === undefined) return made;
  const redirectUri = await redirectUriOf(options, tools, isRehearsal);
  reporter.command(
    [
      `npm run baton -- clients create --name ${quote(name)}`,
      ...(all === "" ? [] : [`--scope ${quote(all)}`]),
      ...(redirectUri === undefined
        ? []
        : [`--redirect-uri ${quote(redirectUri)}`]),
    ].join(" "),
  );
  const client = isRehearsal
    ? undefined
    : await records?.createClient(name, all, redirectUri);
  if (!client) return made;
  reporter.note(`client_id      ${client.client_id}`);
  if (client.client_secret !== undefined)
    reporter.note(
      `client_secret  ${client.client_secret}\nThe secret is shown this one time.`,
    );
  return { ...made, client };
}

/** Lists the scopes. A token that was set a moment ago is not known everywhere yet. */
async function accepted(
  records: FirstRecords,
  wait: number,
): Promise<string[]> {
  const end = Date.now() + wait * 1000;
  for (;;) {
    try {
      return await records.scopes();
    } catch (error) {
      const isNotYet =
        error instanceof ApiError && [401, 404].includes(error.status);
      if (!isNotYet || Date.now() >= end) throw error;
      await sleep(RETRY_MS);
    }
  }
}

async function scopesToMake(
  given: [string, string][] | undefined,
  before: string[],
  { reporter, questions }: Tools,
  isRehearsal: boolean,
): Promise<[string, string][]> {
  if (before.length > 0) reporter.note(`Scopes: ${before.join(", ")}.`);
  if (given) return given.filter(([name]) => !before.includes(name));
  if (isRehearsal) {
    reporter.command("npm run baton -- scopes put SCOPE DESCRIPTION");
    reporter.note(
      "Setup asks for scopes and a client, if the server has none. With --yes it makes those of --scope and --client only.",
    );
    return [];
  }
  if (before.length > 0) return [];
  const scopes: [string, string][] = [];
  for (;;) {
    const answer = await questions.ask({
      text: 'A first scope, such as "read=Read your notes" (empty: no more)',
      option: "--scope",
      fallback: "",
      problem: (text) =>
        text === "" || scopePattern.test(text)
          ? undefined
          : "must be a name, = and a description",
    });
    if (answer === "") return scopes;
    scopes.push(parseScope(answer));
  }
}

async function clientToMake(
  { client }: FirstOptions,
  known: string[],
  { reporter, questions }: Tools,
  isRehearsal: boolean,
): Promise<string | undefined> {
  // One run makes at most one first client, so that a run after an interruption does not make another.
  if (known.length > 0) {
    reporter.note(
      `Clients: ${known.length === 1 ? known[0] : `${known.length} or more`}. Another: npm run baton -- clients create`,
    );
    return undefined;
  }
  if (client !== undefined) return client;
  if (isRehearsal) {
    reporter.command(
      "npm run baton -- clients create --name NAME --scope SCOPES --redirect-uri URI",
    );
    return undefined;
  }
  const answer = await questions.ask({
    text: "Name of a first client, with all scopes (empty: none)",
    option: "--client",
    fallback: "",
  });
  return answer === "" ? undefined : answer;
}

/** Asks only for a client that was asked for. Undefined: none. */
async function redirectUriOf(
  { client, redirectUri }: FirstOptions,
  { questions }: Tools,
  isRehearsal: boolean,
): Promise<string | undefined> {
  if (redirectUri !== undefined || client !== undefined || isRehearsal)
    return redirectUri;
  const answer = await questions.ask({
    text: "Its redirect URI, to which people come back from the sign-in page (empty: none)",
    option: "--redirect-uri",
    fallback: "",
  });
  return answer === "" ? undefined : answer;
}

const scopePattern = /^([^=\s]+)=(.+)$/s;

/** Takes a first scope apart. @throws UsageError */
export function parseScope(text: string): [name: string, description: string] {
  const [, name, description] = scopePattern.exec(text) ?? [];
  if (name === undefined || description === undefined)
    throw new UsageError(
      `--scope must be a name, = and a description, such as "read=Read your notes". This is not: ${text}`,
    );
  return [name, description];
}
