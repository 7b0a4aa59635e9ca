import * as v from "valibot";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { asOAuthError, fieldError, type OAuthError } from "../errors.ts";
import { identityOf, isSameClient } from "../login-attributes.ts";
import type { RequestLog } from "../request-log.ts";
import { maxCharacters, strictObject } from "../schema.ts";
import type { Server } from "../server.ts";
import { subject } from "../subject.ts";
import { MAX_JWT_CHARACTERS } from "../encrypted-jwt.ts";
import type { HintedLogin } from "./hint.ts";
import {
  afterLogout,
  type CheckedLogout,
  decryptLogoutRequest,
  type LogoutRequest,
  mayReturnTo,
} from "./request.ts";

/** The end of logins at a logout request: at once by its ID token, and when the login has ended its session. */

/** The schema of the encrypted logout request that the login sends back. */
export const encryptedLogout = v.pipe(
  v.string(),
  v.minLength(1),
  maxCharacters(MAX_JWT_CHARACTERS),
  v.description(
    "The value of the parameter `request` with which the browser came to LOGOUT_URL, unchanged.",
  ),
);

/** The schema of a login's report that it has ended its session. */
export const endedSession = strictObject({
  request: encryptedLogout,
  subject: v.optional(
    v.pipe(
      subject,
      v.description(
        "The user who signed out. Left out: the user of the ID token that the app has sent.",
      ),
    ),
  ),
  sid: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      maxCharacters(255),
      v.description(
        "The session that the login has ended, as the login gave it with its decisions. Every grant of the user with this sid ends. Left out: the session of the app's ID token. If that has none, no grant ends beside the app's own.",
      ),
    ),
  ),
});

export type EndedSession = v.InferOutput<typeof endedSession>;

/** The description of a logout request, for the login. */
export interface LogoutDescription {
  /** Left out: the request names no client. */
  client_id?: string;
  client_name?: string;
  /** The user, by the ID token that the app has sent. */
  subject?: string;
  /** The session, by that ID token. Left out: the login gave none, and `sid` stands for its grant. */
  sid?: string;
  /** The URI to which the browser is redirected at the end. Left out: the login shows a page of its own. */
  post_logout_redirect_uri?: string;
  ui_locales?: string;
  logout_hint?: string;
  /**
   * False: the app has sent no valid ID token of a login that goes on, so that any site may have sent the browser. The
   * login asks the user.
   */
  is_confirmed: boolean;
  /** From this time on, the request cannot be decided. */
  expires_at: Seconds;
}

/**
 * Describes a logout request for the login.
 *
 * @throws OAuthError `logout_request_malformed`, `…_forged` or `…_expired`, each for the field `request`
 */
export async function describeLogout(
  server: Server,
  encrypted: string,
  now: Seconds,
  log: RequestLog,
): Promise<LogoutDescription> {
  const { request, client, expires_at } = await readLogout(
    server,
    encrypted,
    now,
    log,
  );
  const { session, ui_locales, logout_hint } = request;
  const uri = returnUri(request, client);
  return {
    ...(request.client && { client_id: request.client.client_id }),
    ...(client?.client_name !== undefined && {
      client_name: client.client_name,
    }),
    ...session,
    ...(uri !== undefined && { post_logout_redirect_uri: uri }),
    ...(ui_locales !== undefined && { ui_locales }),
    ...(logout_hint !== undefined && { logout_hint }),
    is_confirmed: session !== undefined,
    expires_at,
  };
}

/**
 * Ends the logins of a session that the login has ended. It may be repeated.
 *
 * @returns the URL to which the browser must be redirected; nothing if the request names none, or if it is not
 *   registered any more
 * @throws OAuthError as `describeLogout`, and as `FamilyRepository.revokeSession`
 */
export async function decideLogout(
  server: Server,
  ended: EndedSession,
  now: Seconds,
  log: RequestLog,
): Promise<{ redirect_to?: string }> {
  const { request, client } = await readLogout(server, ended.request, now, log);
  const { session } = request;
  const user = ended.subject ?? session?.subject;
  if (user === undefined && ended.sid !== undefined)
    throw fieldError(
      "subject",
      "is missing, because the app has sent no ID token. A session is found by its user",
    );
  const sid =
    ended.sid ?? (user === session?.subject ? session?.sid : undefined);
  if (user !== undefined && sid !== undefined)
    await endSession(server, user, sid, log);
  const uri = returnUri(request, client);
  return uri === undefined ? {} : { redirect_to: afterLogout(request)! };
}

/**
 * Ends what the ID token of a request signs out: the app's own login, and without LOGOUT_URL its session as well. A login
 * that has ended meanwhile is not an error (section 4), because an app may sign out twice.
 *
 * The own login ends last, so that the same request can be repeated after a fault.
 *
 * @throws OAuthError as `FamilyRepository.revokeSession`
 */
export async function endHintedLogin(
  server: Pick<Server, "families" | "settings">,
  { client, login }: CheckedLogout,
  log: RequestLog,
): Promise<void> {
  if (!client || !login) return;
  const { family_id, session } = login;
  const { subject, sid } = session;
  if (server.settings.logout_url === undefined && sid !== undefined)
    try {
      await endSession(server, subject, sid, log, family_id);
    } catch (error) {
      // A repeated request would come no further, so it must not cost as much.
      if (asOAuthError(error).reason === "logout_session_incomplete")
        await endLogin(server, client, login, log);
      throw error;
    }
  await endLogin(server, client, login, log);
}

async function endLogin(
  { families }: Pick<Server, "families">,
  client: Client,
  { family_id, session: { subject } }: HintedLogin,
  log: RequestLog,
): Promise<void> {
  const key = { ...identityOf(client), by_hint: true } as const;
  const { outcome } = await families.revoke(family_id, key);
  const grant_id = families.grantIdOf(family_id);
  if (outcome === "revoked") log.addRevocation({ subject, grant_id });
}

/** Ends every login of a session, but for one that the caller ends. */
function endSession(
  { families }: Pick<Server, "families">,
  subject: string,
  sid: string,
  log: RequestLog,
  except?: Uint8Array,
): Promise<void> {
  const note = (grant_id: string) => log.addRevocation({ subject, grant_id });
  return families.revokeSession(subject, sid, note, except);
}

/** A logout request, and its client as it is today. Undefined: the request names none, or it is gone. */
interface ReadLogout {
  request: LogoutRequest;
  client: Client | undefined;
  expires_at: Seconds;
}

async function readLogout(
  server: Server,
  encrypted: string,
  now: Seconds,
  log: RequestLog,
): Promise<ReadLogout> {
  const decrypted = await decryptLogoutRequest(server, encrypted, now);
  if (typeof decrypted === "string") throw invalidRequest(decrypted);
  const { request, expires_at } = decrypted;
  const { client: identity } = request;
  const found =
    identity && (await server.clients.findAgain(identity.client_id));
  const isSame = found && isSameClient(identityOf(found), identity);
  const client = isSame ? found : undefined;
  if (client) log.fields.client_id = client.client_id;
  return { request, client, expires_at };
}

/** Returns the URI of a request, if it is still registered. */
function returnUri(
  { post_logout_redirect_uri: uri }: LogoutRequest,
  client: Client | undefined,
): string | undefined {
  return uri !== undefined && mayReturnTo(client, uri) ? uri : undefined;
}

const problems = {
  malformed: "was not made by this server",
  forged: "was not made by this server",
  expired: "has expired. The user must sign out again at the app",
} as const;

function invalidRequest(problem: keyof typeof problems): OAuthError {
  const reason = `logout_request_${problem}` as const;
  return fieldError("request", problems[problem], reason);
}
