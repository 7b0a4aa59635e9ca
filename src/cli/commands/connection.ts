import { readDevVars } from "../local/dev-vars.ts";
import { Failure, UsageError } from "../failure.ts";

const DEFAULT_URL = "http://localhost:8787";

/** Where the server is, and how it knows us. */
export interface Connection {
  /** An origin, without a slash at its end. */
  url: string;
  token: string;
  /** Where the token is from, in words, so that an error can say which one is wrong. */
  tokenSource: string;
}

/**
 * Finds the server and the admin token. A token is never taken from the command line, where other
 * users of the machine and the shell's history would see it.
 *
 * @param url the option --url; else BATON_URL, else the server of `npm run dev`
 * @param devVarsPath the `.dev.vars` whose token is used for a server on this machine, and only there
 * @throws UsageError if the URL is none
 * @throws Failure if the token would travel unprotected, or there is none
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
      `The admin token is not sent to ${server.origin}: without https anybody on the way could read it. Use https://${server.host}.`,
    );
  }

  const found = await findToken(environment, loopback, devVarsPath);
  // What an HTTP header can't carry must not get as far as an error message of the HTTP library.
  if (!/^[\x21-\x7e]+$/.test(found.token)) {
    throw new Failure(
      `${found.tokenSource} cannot be an admin token: it has a space, a line break or a character that is not ASCII.`,
    );
  }
  return { url: server.origin, ...found };
}

async function findToken(
  environment: NodeJS.Dict<string>,
  loopback: boolean,
  devVarsPath: string,
): Promise<Omit<Connection, "url">> {
  const named = environment["BATON_ADMIN_TOKEN"];
  if (named) return { token: named, tokenSource: "BATON_ADMIN_TOKEN" };
  if (!loopback) {
    throw new Failure(
      "There is no admin token. Put the server's ADMIN_TOKEN into the environment variable BATON_ADMIN_TOKEN.",
    );
  }
  const { ADMIN_TOKEN } = (await readDevVars(devVarsPath)) ?? {};
  if (!ADMIN_TOKEN) {
    throw new Failure(
      "There is no admin token. `npm run dev` writes one to .dev.vars; for another server put its ADMIN_TOKEN into the environment variable BATON_ADMIN_TOKEN.",
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
      "The server's URL has to be one such as https://auth.example.com, without a path. It is taken from --url, else from BATON_URL.",
    );
  }
  return url;
}

/** URL has brought every spelling of an IPv4 address into four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
