import { lowerCaseAscii } from "../oauth/ascii.ts";
import type { Problem } from "../oauth/errors.ts";
import { type Role, roleNamed, roles } from "../oauth/roles.ts";
import type { AccessSettings } from "../oauth/settings.ts";

/** The variables of Cloudflare Access: ACCESS_TEAM_DOMAIN, ACCESS_AUD and ACCESS_ROLES. */
interface AccessVariables {
  ACCESS_TEAM_DOMAIN?: string | undefined;
  ACCESS_AUD?: string | undefined;
  ACCESS_ROLES?: string | undefined;
}

/** A name below the domain of Access. `fed.` is in those of Cloudflare for Government. */
const teamDomain = /^(?:[a-z0-9-]{1,63}\.){1,2}cloudflareaccess\.com$/;

/** Checks ACCESS_TEAM_DOMAIN. The owner of a mistyped name could make the keys of administrators. */
export function teamDomainProblem(domain: string): string | undefined {
  return teamDomain.test(domain)
    ? undefined
    : "must be the host name of the team, such as team.cloudflareaccess.com, in lower case and without https://";
}

export function audienceTagProblem(tag: string): string | undefined {
  return /^[\w-]{1,128}$/.test(tag)
    ? undefined
    : "must be the Application Audience (AUD) Tag of the Access application, such as 64 hexadecimal digits";
}

/** Checks ACCESS_ROLES. No problem quotes it, because it has people's names. */
export function accessRolesProblem(list: string): string | undefined {
  const entries = entriesOf(list);
  if (entries.some(([name, role]) => !isName(name) || !roleNamed(role)))
    return `must be email addresses, names of service tokens or *, each with = and a role out of ${roles.join(", ")}, and commas between them, such as alice@example.com=admin,*=read`;
  return new Set(entries.map(([name]) => name)).size < entries.length
    ? "names somebody twice"
    : undefined;
}

/** Lists which of the variables are missing beside the others. */
export function missingAccessVariables(given: AccessVariables): Problem[] {
  const needed = ["ACCESS_TEAM_DOMAIN", "ACCESS_AUD"] as const;
  const isWanted = [...needed, "ACCESS_ROLES" as const].some(
    (name) => given[name] !== undefined,
  );
  return needed
    .filter((name) => isWanted && given[name] === undefined)
    .map((name) => ({
      name,
      problem: "is not set, and Cloudflare Access needs it",
    }));
}

/** Makes the settings of checked variables. Undefined: Access is not configured. */
export function accessSettings({
  ACCESS_TEAM_DOMAIN: team_domain,
  ACCESS_AUD: aud,
  ACCESS_ROLES: list,
}: AccessVariables): AccessSettings | undefined {
  if (team_domain === undefined || aud === undefined) return undefined;
  const entries = list === undefined ? [] : entriesOf(list);
  return { team_domain, aud, roles: new Map(entries as [string, Role][]) };
}

/** Returns names with small letters for A to Z, each with what stands behind its last `=`. */
function entriesOf(list: string): [name: string, role: string][] {
  return list.split(",").map((item) => {
    const end = item.lastIndexOf("=");
    const name = item.slice(0, Math.max(end, 0)).trim();
    return [lowerCaseAscii(name), item.slice(end + 1).trim()];
  });
}

function isName(name: string): boolean {
  return name === "*" || /^[^\s*]{1,320}$/.test(name);
}
