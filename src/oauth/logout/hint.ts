import * as base64url from "jose/base64url";
import type { Client } from "../entities.ts";
import { identityOf, isSameClient } from "../login-attributes.ts";
import {
  isIdTokenOf,
  type VerifiedIdToken,
  verifyIdToken,
} from "../openid/id-token.ts";
import type { FamilyState } from "../repositories.ts";
import type { Server } from "../server.ts";

/*
 * The ID token of a logout request. Its signature alone signs nobody out: the login that it names must go on, and must
 * be as the token says. So neither a leaked PRIVATE_KEY nor an ID token from an old log ends a session.
 */

/** The user and the session of a login. */
export interface Session {
  subject: string;
  /** The session that the login gave. Left out: it gave none. */
  sid?: string;
}

/** The login that an ID token belongs to, and that goes on. */
export interface HintedLogin {
  family_id: Uint8Array;
  session: Session;
}

/**
 * Verifies the ID token of a request. It may have expired, because a user may sign out late (RP-Initiated Logout
 * section 2).
 */
export function verifyHint(
  { settings, verificationKeys }: Pick<Server, "settings" | "verificationKeys">,
  hint: string,
): Promise<VerifiedIdToken | undefined> {
  return verifyIdToken(verificationKeys, settings.issuer, hint);
}

/**
 * Finds the login that an ID token belongs to, by one look at its family.
 *
 * @returns `ended`: there is no such login any more; `foreign`: it is not as the token says
 */
export async function findHintedLogin(
  { families }: Pick<Server, "families">,
  hint: VerifiedIdToken,
  client: Client,
): Promise<HintedLogin | "ended" | "foreign"> {
  const { family_id } = hint;
  const family = await families.look(family_id);
  if (!family) return "ended";
  if (!isOf(family, hint, client)) return "foreign";
  const { subject, sid } = family.login;
  const session = { subject, ...(sid !== undefined && { sid }) };
  return { family_id, session };
}

function isOf(
  family: FamilyState,
  hint: VerifiedIdToken,
  client: Client,
): boolean {
  const { login } = family;
  // The ID token of a login without a session has the id of its family as `sid`.
  const sid = login.sid ?? base64url.encode(hint.family_id);
  return (
    isIdTokenOf(family, hint) &&
    isSameClient(identityOf(client), login) &&
    sid === hint.sid
  );
}
