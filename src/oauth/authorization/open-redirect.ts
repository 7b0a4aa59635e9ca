import { isLoopback } from "../redirect-uri.ts";
import type { RedirectTarget } from "./redirect-target.ts";

/**
 * Returns the place to which an error of an authorization request must not redirect the browser. Anybody can register a
 * client, and could make a link of this server lead to any website without asking the user (RFC 9700 section 4.11.2). A
 * loopback address leads to a program on the user's own device. What the sign-in page decides is not an error of this kind.
 *
 * @returns the host and port, or the scheme of an app, in ASCII; undefined: the error goes to the client by redirect
 */
export function placeToWithhold({
  client: { registered_by },
  redirect_uri,
}: Pick<RedirectTarget, "client" | "redirect_uri">): string | undefined {
  if (registered_by === undefined || isLoopback(redirect_uri)) return undefined;
  const { protocol, host } = new URL(redirect_uri);
  return protocol === "https:" ? host : protocol;
}
