import { z } from "zod";
import { OPENID, releasedClaims } from "../../oauth/openid/scopes.ts";
import { ApiError } from "../failure.ts";
import type { Session } from "./session.ts";

const catalogue = z.object({
  scopes: z.array(
    z.object({ scope: z.string(), claims: z.array(z.string()).optional() }),
  ),
});

/** The fields with claims about the user, which scopes release. */
const fields = ["id_token_claims", "userinfo"] as const;

/**
 * Finds claims about the user of a new grant that no scope of it releases, which is nearly always a mistake. It reads
 * the catalogue only for a grant with such claims, and nothing with --json, where nobody would see a warning.
 *
 * @param given the fields of the request
 * @param scope the granted scopes, with spaces between them
 */
export async function unreleasedClaims(
  session: Session,
  given: Readonly<Record<string, unknown>>,
  scope = "",
): Promise<string[]> {
  const used = fields.filter((field) => given[field] !== undefined);
  if (used.length === 0 || session.isJson) return [];
  const granted = scope.split(" ");
  if (!granted.includes(OPENID))
    return used.map(
      (field) =>
        `${field} is given, but the scope openid is not granted, so no app gets these claims`,
    );
  const known = await readCatalogue(session);
  if (!known) return [];
  const names = used.flatMap((field) => Object.keys(Object(given[field])));
  const claims = Object.fromEntries(names.map((name) => [name, true]));
  const released = releasedClaims(claims, granted, known);
  return Object.keys(claims)
    .filter((name) => !Object.hasOwn(released, name))
    .map((name) => `${name} is given, but no granted scope releases it`);
}

/** Reads the catalogue. Undefined: the administrator may create grants, but not read the catalogue. */
async function readCatalogue(session: Session) {
  try {
    const { scopes } = await session.request({
      method: "GET",
      path: ["scopes"],
      schema: catalogue,
    });
    return Object.fromEntries(
      scopes.map(({ scope, claims }) => [
        scope,
        { description: "", ...(claims && { claims }) },
      ]),
    );
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}
