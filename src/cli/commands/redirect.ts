import { printable } from "../output.ts";
import { isLoopback } from "./connection.ts";

/** Says where an answer redirects to, and what to do then. Empty: it does not redirect. Begins with a space. */
export function redirectNotice(url: string, headers: Headers): string {
  const location = headers.get("Location");
  if (location === null || !URL.canParse(location, url)) return "";
  const { hostname, host } = new URL(url);
  const target = new URL(location, url);
  // https at the same port is the same server, too: wrangler changes the scheme back.
  if (target.host !== host)
    return ` It redirects to ${printable(target.origin)}. If that is your server, use that URL.`;
  return isLoopback(hostname)
    ? ` It redirects to the same address. \`wrangler dev\` does so where the settings have a route, because it shows the Worker the host name of the route. Start the server with \`npm run dev\`, or add \`--local-upstream ${host}\` to \`npx wrangler dev\`.`
    : " It redirects to the same address, so something between here and the Worker changes https to http.";
}
