import { type Command, InvalidArgumentError } from "commander";
import { UsageError, Failure } from "../failure.ts";
import { parseTime } from "../keys/times.ts";
import { readText } from "../tables/text-file.ts";
import { collect } from "./client-options.ts";

/** The options for what a login says about its user, as commander names them. */
export interface ClaimOptions {
  claims?: string;
  idTokenClaims?: string;
  userinfo?: string;
  authTime?: number;
  acr?: string;
  amr?: string[];
  sid?: string;
}

/** The most characters of an input. The server takes 2,048 bytes. */
const MAX_CHARACTERS = 64 * 1024;

/** Says how a value in JSON is given, for the help of the commands. */
export const jsonHelp = [
  "",
  "JSON is given as @FILE, as - for standard input, or as it is. Other users of the machine can read a command line,",
  "so give what is about a person in a file or on standard input.",
  "",
].join("\n");

/** Adds the options. The server checks their values. */
export function addClaimOptions(command: Command): Command {
  return command
    .option(
      "--claims <json>",
      "claims for the access token, as an object in JSON",
    )
    .option(
      "--id-token-claims <json>",
      "claims about the user, for the ID token and UserInfo",
    )
    .option("--userinfo <json>", "claims about the user, for UserInfo alone")
    .option(
      "--auth-time <time>",
      "when the user signed in: now, a time in UTC, or seconds since 1970",
      parseAuthTime,
    )
    .option("--acr <acr>", "authentication context class, such as a level")
    .option(
      "--amr <method>",
      "authentication method, such as pwd or otp; can be repeated",
      collect,
    )
    .option("--sid <sid>", "id of the user's session at the login");
}

/** Parses a time, for commander. */
function parseAuthTime(text: string): number {
  if (text === "now") return Math.floor(Date.now() / 1000);
  if (/^\d{1,12}$/.test(text)) return Number(text);
  try {
    return parseTime(text);
  } catch {
    throw new InvalidArgumentError(
      "It must be now, a time in UTC such as 2026-12-01T10:00:00Z, or seconds since 1970.",
    );
  }
}

/**
 * The fields of the admin API for the options. An option that is left out is a field that is left out.
 *
 * @throws UsageError if two options are to be read from standard input
 * @throws Failure for a file that cannot be read, or that is not JSON
 */
export async function claimFields(
  options: ClaimOptions,
): Promise<Record<string, unknown>> {
  const inJson = [
    ["claims", "--claims", options.claims],
    ["id_token_claims", "--id-token-claims", options.idTokenClaims],
    ["userinfo", "--userinfo", options.userinfo],
  ] as const;
  const [first, second] = inJson.filter(([, , value]) => value === "-");
  if (first && second)
    throw new UsageError(
      `${first[1]} and ${second[1]} cannot both be read from standard input. Give one of them in a file: ${second[1]} @FILE`,
    );
  const fields: Record<string, unknown> = {
    auth_time: options.authTime,
    acr: options.acr,
    amr: options.amr,
    sid: options.sid,
  };
  for (const [field, option, value] of inJson)
    if (value !== undefined) fields[field] = await readJson(option, value);
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  );
}

async function readJson(option: string, value: string): Promise<unknown> {
  const text = await textOf(option, value);
  try {
    return JSON.parse(text);
  } catch (error) {
    // Only the position, because the rest of the message quotes the text, which is about a person.
    const position = /\(line \d+ column \d+\)/.exec(String(error))?.[0];
    throw new Failure(
      `${option} is not valid JSON${position ? ` ${position}` : ""}. Nothing was changed. Give an object such as '{"roles": ["editor"]}', or @FILE, or - for standard input.`,
    );
  }
}

async function textOf(option: string, value: string): Promise<string> {
  if (value === "-") return joined(option, process.stdin.setEncoding("utf8"));
  if (value.startsWith("@")) return joined(option, readText(value.slice(1)));
  return value;
}

async function joined(
  option: string,
  chunks: AsyncIterable<unknown>,
): Promise<string> {
  let text = "";
  for await (const chunk of chunks) {
    text += String(chunk);
    if (text.length > MAX_CHARACTERS)
      throw new Failure(
        `${option} has more than ${MAX_CHARACTERS} characters. All claims of a login together have at most 2048 bytes.`,
      );
  }
  return text;
}
