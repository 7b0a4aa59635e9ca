import { Failure } from "../failure.ts";
import { isLoopback } from "./connection.ts";

/** The address of a server, and where it comes from: `--url`, `BATON_URL`, a profile or the default. */
export interface Address {
  url: string;
  urlSource: string;
}

/** What to do about each error of a connection, by its code in Node. The sentence before it says the address. */
const remedies: Record<string, string> = {
  EAI_AGAIN:
    "The name service did not answer. Check the network of this machine.",
  ENOTFOUND: "The host does not exist. Check the spelling.",
  ECONNRESET:
    "The connection was cut. Check that nothing between here and there (a proxy, a firewall) does that, and try again.",
  EHOSTUNREACH: "There is no way to it. Check the network and the VPN.",
  ENETUNREACH: "There is no way to it. Check the network and the VPN.",
  ETIMEDOUT:
    "Nothing answered. Check the port, and whether a firewall is in between.",
  UND_ERR_CONNECT_TIMEOUT:
    "Nothing answered. Check the port, and whether a firewall is in between.",
  CERT_HAS_EXPIRED:
    "Its certificate has expired. Renew it, and check the clock of this machine.",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "Its certificate is for another host name. Check the spelling.",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted(),
  SELF_SIGNED_CERT_IN_CHAIN: untrusted(),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted(),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted(),
  ERR_SSL_WRONG_VERSION_NUMBER:
    "It does not speak https. Check the port, or use http:// if it is a server on this machine.",
  ERR_SSL_PACKET_LENGTH_TOO_LONG:
    "It does not speak https. Check the port, or use http:// if it is a server on this machine.",
};

function untrusted(): string {
  return "Its certificate is not from an authority that this machine trusts. If it is one of your own, set NODE_EXTRA_CA_CERTS to its file.";
}

/** Explains a request that got no answer: the address, what happened, and what to check. */
export function connectionError(
  address: Address,
  error: unknown,
  timeoutMs: number,
): Failure {
  const { url } = address;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new Failure(
      `${url} did not respond within ${timeoutMs / 1000} seconds. Try again later.`,
    );
  }
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  if (code === "ECONNREFUSED")
    return new Failure(nobodyThere(address), { cause: error });
  const what = `Cannot connect to ${url} (from ${address.urlSource}): ${String(message || code)}.`;
  const remedy = remedies[String(code)] ?? "Check the URL.";
  return new Failure(`${what} ${remedy}`, { cause: error });
}

function nobodyThere({ url, urlSource }: Address): string {
  return isLoopback(new URL(url).hostname)
    ? `There is no server at ${url}. Start one with \`npm run dev\`, or set BATON_URL to the URL of yours.`
    : `There is no server at ${url}. The address is from ${urlSource}: check its host and its port, and whether the server runs.`;
}
