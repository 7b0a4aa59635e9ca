import { unwrapSecret } from "../../oauth/secret-floor.ts";
import { adminTokenIn, readDevVars } from "../local/dev-vars.ts";
import { Failure, UsageError } from "../failure.ts";
import { readProfile, tokenOf, tokenVariable } from "../profiles.ts";

/** The server of `npm run dev`. */
const DEFAULT_URL = new URL("http://localhost:8787");

/** The options of the command line that choose the server. */
export interface ConnectionOptions {
  url?: string;
  /** The name of a profile. */
  env?: string;
  /** True allows plain http to another machine. */
  insecure?: boolean;
}

/** The server's URL and the admin token to send. */
export interface Connection {
  /** An origin, without a slash at the end. */
  url: string;
  /** Where the URL comes from, so that an error can say what to correct. */
  urlSource: string;
  token: string;
  /** The name of the token's source, so that an error can say which token is wrong. */
  tokenSource: string;
}

/**
 * Finds the server and the admin token. The token is never an option, because other users of the
 * machine can read a command line and because shells store it in their history.
 *
 * Each token is sent only where it was meant for. BATON_ADMIN_TOKEN belongs to the server in BATON_URL, also
 * when --url names another one: in an environment the two are set together, and a URL that is typed for one
 * command says nothing of the token. The token of a profile belongs to the server of that profile, and the token in
 * `.dev.vars` to the servers on this machine.
 *
 * @param options without `url` the server is that of the profile in `env`, else the one in BATON_URL, else that of
 *   `npm run dev`
 * @throws UsageError if a URL is not an origin
 * @throws Failure if there is no token for the server, or if it would be sent without encryption
 */
export async function findConnection(
  options: ConnectionOptions,
  environment: NodeJS.Dict<string>,
  devVarsPath: string,
): Promise<Connection> {
  const { BATON_URL } = environment;
  const BATON_ADMIN_TOKEN = unwrapSecret(
    environment["BATON_ADMIN_TOKEN"] ?? "",
  );
  const fromOption =
    options.url === undefined ? undefined : parseOrigin(options.url, "--url");
  const fromEnvironment = BATON_URL
    ? parseOrigin(BATON_URL, "BATON_URL")
    : undefined;
  const profile =
    options.env === undefined
      ? undefined
      : await readProfile(options.env, environment);
  const fromProfile = profile && parseOrigin(profile.url, "the profile");
  const chosen = fromOption ?? fromProfile ?? fromEnvironment;
  // The local server is not taken in its place: the token shows that another one is meant.
  if (!chosen && BATON_ADMIN_TOKEN) {
    throw new Failure(
      `BATON_ADMIN_TOKEN is set and BATON_URL is not, so it is unknown which server the token is for. Set BATON_URL to the URL of that server. For the local server, use --url ${DEFAULT_URL.origin}, which takes the token from .dev.vars.`,
    );
  }
  const server = chosen ?? DEFAULT_URL;
  if (
    server.protocol === "http:" &&
    !isLoopback(server.hostname) &&
    !options.insecure
  ) {
    throw new Failure(
      `The admin token was not sent to ${server.origin}, because without https others on the network can read it. Use https://${server.host}. On a network that you trust, add --insecure.`,
    );
  }

  const ofProfile =
    profile &&
    options.env !== undefined &&
    fromProfile?.origin === server.origin
      ? tokenOf(options.env, profile, environment)
      : undefined;
  const found =
    ofProfile ??
    (BATON_ADMIN_TOKEN && fromEnvironment?.origin === server.origin
      ? { token: BATON_ADMIN_TOKEN, tokenSource: "BATON_ADMIN_TOKEN" }
      : await readLocalToken(server, devVarsPath));
  if (!found) {
    throw fromProfile?.origin === server.origin
      ? missingProfileToken(String(options.env), server)
      : missingToken(server, BATON_ADMIN_TOKEN !== "");
  }
  // Checked here, because the HTTP library would quote the token in its error message.
  const problem = adminTokenProblem(found.token);
  if (problem !== undefined) {
    throw new Failure(
      `${found.tokenSource} cannot be an admin token, because ${problem}. Set it to the server's ADMIN_TOKEN.`,
    );
  }
  const urlSource = fromOption
    ? "--url"
    : fromProfile
      ? `the profile ${options.env}`
      : fromEnvironment
        ? "BATON_URL"
        : "the default";
  return { url: server.origin, urlSource, ...found };
}

/** Says why a text cannot be an admin token, which an HTTP header carries. Undefined: it can. */
export function adminTokenProblem(token: string): string | undefined {
  return /^[\x21-\x7e]+$/.test(token)
    ? undefined
    : "it contains a space, a line break or a character that is not ASCII";
}

/** The token in `.dev.vars`, for a server on this machine only. */
async function readLocalToken(
  { hostname }: URL,
  devVarsPath: string,
): Promise<Pick<Connection, "token" | "tokenSource"> | undefined> {
  if (!isLoopback(hostname)) return undefined;
  const token = adminTokenIn(await readDevVars(devVarsPath));
  return token === undefined
    ? undefined
    : { token, tokenSource: "ADMIN_TOKEN in .dev.vars" };
}

function missingProfileToken(name: string, { origin }: URL): Failure {
  return new Failure(
    `The profile ${name} has no admin token for ${origin}. Set the environment variable ${tokenVariable(name)} to the server's ADMIN_TOKEN, or keep the token in the profile: \`npm run baton -- profiles add ${name} --url ${origin} --replace\`.`,
  );
}

/** @param isOther true if BATON_ADMIN_TOKEN is set, and for another server */
function missingToken({ origin, hostname }: URL, isOther: boolean): Failure {
  const start = `There is no admin token for ${origin}.`;
  const other = `BATON_ADMIN_TOKEN was not sent, because BATON_URL does not name this server. If the token is for this server, set BATON_URL to ${origin}.`;
  const local =
    "For the local server, `npm run dev` writes a token to .dev.vars.";
  if (isLoopback(hostname)) {
    return new Failure(
      isOther
        ? `${start} ${other} ${local}`
        : `${start} ${local} For another server, set the environment variables BATON_URL to its URL and BATON_ADMIN_TOKEN to its ADMIN_TOKEN.`,
    );
  }
  return new Failure(
    isOther
      ? `${start} ${other}`
      : `${start} Set the environment variables BATON_URL to ${origin} and BATON_ADMIN_TOKEN to the server's ADMIN_TOKEN.`,
  );
}

/** The message does not quote the URL, because a password may be in it. */
export function parseOrigin(
  text: string,
  source: "--url" | "BATON_URL" | "the profile",
): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin =
    url !== undefined &&
    ["http:", "https:"].includes(url.protocol) &&
    url.href === `${url.origin}/`;
  if (!isOrigin) {
    throw new UsageError(
      `The server's URL must look like https://auth.example.com, without a path or a user name. The one in ${source} does not.`,
    );
  }
  return url;
}

/** The URL parser has already written every IPv4 address as four decimal numbers. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
