import type { Problem } from "../oauth/errors.ts";
import { isPrivateHost } from "../oauth/private-host.ts";
import { isOneRepeated } from "../oauth/secret-floor.ts";
import { type Webhook, webhookKey } from "../oauth/webhook.ts";
import type { PlainHttpRule } from "./urls.ts";

/** The rules for EVENT_WEBHOOK_URL and EVENT_WEBHOOK_SECRET. */

interface Variables {
  ISSUER: string;
  EVENT_WEBHOOK_URL?: string | undefined;
  EVENT_WEBHOOK_SECRET?: string | undefined;
}

/** The sizes of a signing key, by the specification. */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;

/**
 * Checks EVENT_WEBHOOK_URL. The server posts to it whatever an attacker makes happen, so it must not be an address
 * inside of a network.
 *
 * @param mayBePlain tells whether a URL may be plain http: on a local server, to a loopback address
 */
function urlProblem(
  url: string,
  mayBePlain: (url: string) => boolean,
): string | undefined {
  if (!URL.canParse(url)) return "must be a URL";
  if (mayBePlain(url)) return undefined;
  const { protocol, username, password, hostname } = new URL(url);
  if (protocol !== "https:") return "must begin with https://";
  if (username !== "" || password !== "")
    return "must not have a user or a password";
  return isPrivateHost(hostname)
    ? "must not lead to a private address"
    : undefined;
}

/** Checks EVENT_WEBHOOK_SECRET. */
export function webhookSecretProblem(secret: string): string | undefined {
  const key = webhookKey(secret);
  if (!key || key.length < MIN_SECRET_BYTES || key.length > MAX_SECRET_BYTES)
    return `must be the base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} random bytes (openssl rand -base64 32), also with whsec_ before it`;
  return isOneRepeated(key)
    ? "must not be one repeated byte, which anybody can guess"
    : undefined;
}

/** Checks the URL, and that it has a secret. A local server may post by plain http to a program beside it. */
export function webhookProblems(
  { ISSUER, EVENT_WEBHOOK_URL: url, EVENT_WEBHOOK_SECRET: secret }: Variables,
  mayBePlain: PlainHttpRule,
): Problem[] {
  if (url === undefined) return [];
  const isLocal = ISSUER.startsWith("http:");
  const problem = urlProblem(url, (it) => isLocal && mayBePlain(it));
  if (problem !== undefined) return [{ name: "EVENT_WEBHOOK_URL", problem }];
  if (secret !== undefined) return [];
  const missing = "is not set, and EVENT_WEBHOOK_URL is";
  return [{ name: "EVENT_WEBHOOK_SECRET", problem: missing }];
}

/** Returns the webhook. Undefined: there is none. */
export function webhookSettings({
  EVENT_WEBHOOK_URL: url,
  EVENT_WEBHOOK_SECRET: text = "",
}: Variables): Webhook | undefined {
  const secret = webhookKey(text);
  return url !== undefined && secret ? { url, secret } : undefined;
}
