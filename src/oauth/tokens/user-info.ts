import { type Confirmation, isConfirmed } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import { type Claims, unregisteredClaims } from "../login-claims.ts";
import { verifyIdToken } from "../openid/id-token.ts";
import { OPENID, releasedClaims } from "../openid/scopes.ts";
import type { FamilyState } from "../repositories.ts";
import type { RequestLog } from "../request-log.ts";
import { scopeSet } from "../scope.ts";
import type { Server } from "../server.ts";
import { familyCheck, isIssued, scopes } from "./access-token-check.ts";
import { verifyAccessToken } from "./access-token.ts";
import { findLivingFamily } from "./own-kinds.ts";

/** The size limit of a request body. This server makes no longer token. */
const MAX_TOKEN_CHARACTERS = 16 * 1024;

/** An access token, and what the request proves for it. */
interface PresentedAccessToken {
  token: string;
  /** The token comes with the scheme DPoP and a proof for it. */
  is_dpop: boolean;
  /** The keys that the request has proven. */
  proven: Confirmation;
}

/**
 * Answers a UserInfo request (OpenID Connect Core section 5.3.2) by an access token: `sub`, and those of the login's
 * claims about the person that the scopes of the token release, as far as its client may have them today. The token is
 * checked as introspection checks it, so that a login that has ended is refused at once. Any audience will do, because
 * the token stays with its client and with this server.
 *
 * A token that this server has not signed costs no storage call beside the catalogue.
 *
 * @throws OAuthError `access_token_forged`, `access_token_is_id_token`, `access_token_expired`,
 *   `access_token_without_user`, `access_token_scope_insufficient`, `access_token_ended`, or a reason of its keys
 */
export async function userInfo(
  server: Server,
  presented: PresentedAccessToken,
  now: Seconds,
  log: RequestLog,
): Promise<Claims> {
  const { settings, verificationKeys } = server;
  const { token } = presented;
  const verified =
    token.length <= MAX_TOKEN_CHARACTERS &&
    (await verifyAccessToken(verificationKeys, settings.issuer, token));
  if (!verified || !isIssued(verified.claims, now))
    throw new OAuthError(
      (await isIdToken(server, token))
        ? "access_token_is_id_token"
        : "access_token_forged",
    );
  const { family_id, claims } = verified;
  if (now >= claims.exp) throw new OAuthError("access_token_expired");
  checkPossession(claims.cnf, presented);
  if (!family_id) throw new OAuthError("access_token_without_user");
  const granted = scopes(claims);
  if (!granted.includes(OPENID)) throw insufficientScope();

  log.begin("family");
  const catalogues = await server.catalogues.find();
  const mayHave = await familyCheck(claims, catalogues.resources, settings);
  let client: Client | undefined;
  const check = (family: FamilyState, ofFamily: Client) => {
    client = ofFamily;
    return mayHave(family, ofFamily);
  };
  const family = await findLivingFamily(server, family_id, now, check);
  if (!family) throw new OAuthError("access_token_ended");
  log.fields.client_id = claims.client_id;
  // The token of an old server may have had no user, and its client is not one.
  if (family.login.sub_type) throw new OAuthError("access_token_without_user");

  const isLeft = (scope: string) =>
    client !== undefined && scopeSet(client.scope).includes(scope);
  // A copy of the record without a scope may be a minute old, and the client may have got it since.
  if (!granted.every(isLeft))
    client = await server.clients.findAgain(claims.client_id);
  const catalogue = catalogues.scopes;
  const left = granted.filter(
    (scope) => isLeft(scope) && Object.hasOwn(catalogue, scope),
  );
  if (!left.includes(OPENID)) throw insufficientScope();
  const { subject, id_token_claims, userinfo } = family.login;
  const person = unregisteredClaims("userinfo", {
    ...id_token_claims,
    ...userinfo,
  });
  return { ...releasedClaims(person, left, catalogue), sub: subject };
}

/**
 * Checks that a request proves the keys of its token, and that a token which is bound to none is a bearer token (RFC 9449
 * section 7, RFC 8705 section 3).
 *
 * @throws OAuthError `access_token_bound`, `access_token_not_bound` or `access_token_of_another_key`
 */
function checkPossession(
  cnf: Confirmation = {},
  { is_dpop, proven }: PresentedAccessToken,
): void {
  if (is_dpop && cnf.jkt === undefined)
    throw new OAuthError("access_token_not_bound");
  if (!is_dpop && cnf.jkt !== undefined)
    throw new OAuthError("access_token_bound");
  if (!isConfirmed(cnf, proven))
    throw new OAuthError("access_token_of_another_key");
}

function insufficientScope(): OAuthError {
  return new OAuthError("access_token_scope_insufficient", { subject: OPENID });
}

/** Tells whether a token is an ID token of this server, which a client may have confused with the access token. */
async function isIdToken(
  { settings, verificationKeys }: Server,
  token: string,
): Promise<boolean> {
  if (token.length > MAX_TOKEN_CHARACTERS) return false;
  const { issuer } = settings;
  return (await verifyIdToken(verificationKeys, issuer, token)) !== undefined;
}
