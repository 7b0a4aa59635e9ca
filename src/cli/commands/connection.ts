import { readDevVars } from "../local/dev-vars.ts";
import { Failure, UsageError } from "../failure.ts";

const DEFAULT_URL = "http://localhost:8787";

/** The server's URL and the admin token to send. */
export interface Connection {
  /** An origin, without a slash at the end. */
  url: string;
  token: string;
  /** The name of the token's source, so that an error can say which token is wrong. */
  tokenSource: string;
}

/**
 * Finds the server and the admin token. The token is never an option, because other users of the
 * machine can read a command line and because shells store it in their history.
 *
 * @param url the option --url; without it BATON_URL, else the server of `npm run dev`
 * @param devVarsPath the `.dev.vars` file; its token is used only for a server on this machine
 * @throws UsageError if the URL is not an origin
 * @throws Failure if there is no token, or if it would be sent without encryption
 */
export async function findConnection(
  url: string | undefined,
  environment: NodeJS.Dict<string>,
  devVarsPath: string,
): Promise<Connection> {
  const server = parseOrigin(url ?? (environment["BATON_URL"] || DEFAULT_URL));
  const loopback = isLoopback(server.hostname);
  if (server.protocol === "http:" && !loopback) {
    throw new Failure(
      `The admin token was not sent to ${server.origin}, because without https others on the network could read it. Use https://${server.host}.`,
    );
  }

  const found = await findToken(environment, loopback, devVarsPath);
  // Checked here, because the HTTP library would quote the token in its error message.
  if (!/^[\x21-\x7e]+$/.test(found.token)) {
    throw new Failure(
      `${found.tokenSource} cannot be an admin token, because it contains a space, a line break or a character that is not ASCII. Set it to the server's ADMIN_TOKEN.`,
    );
  }
  return { url: server.origin, ...found };
}

async function findToken(
  environment: NodeJS.Dict<string>,
  loopback: boolean,
  devVarsPath: string,
): Promise<Omit<Connection, "url">> {
  const token = environment["BATON_ADMIN_TOKEN"];
  if (token) return { token, tokenSource: "BATON_ADMIN_TOKEN" };
  if (!loopback) {
    throw new Failure(
      "There is no admin token. Set the environment variable BATON_ADMIN_TOKEN to the server's ADMIN_TOKEN.",
    );
  }
  const { ADMIN_TOKEN } = (await readDevVars(devVarsPath)) ?? {};
  if (!ADMIN_TOKEN) {
    throw new Failure(
      "There is no admin token. For the local server, `npm run dev` writes one to .dev.vars. For another server, set the environment variable BATON_ADMIN_TOKEN to the server's ADMIN_TOKEN.",
    );
  }
  return { token: ADMIN_TOKEN, tokenSource: "ADMIN_TOKEN in .dev.vars" };
}

function parseOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin =
    url !== undefined &&
    ["http:", "https:"].includes(url.protocol) &&
    url.href === `${url.origin}/`;
  if (!isOrigin) {
    throw new UsageError(
      "The server's URL must look like https://auth.example.com, without a path or a user name. It is read from --url or, without that option, from BATON_URL.",
    );
  }
  return url;
}

/** The URL parser has already written every IPv4 address as four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
