import type { Context } from "hono";
import {
  deleteCookie,
  generateSignedCookie,
  getSignedCookie,
} from "hono/cookie";
import { timingSafeEqual } from "hono/utils/buffer";
import type { AuthorizationDescription } from "./baton.ts";
import { type App, now } from "./app.ts";

/**
 * The session of a browser: one signed cookie, and nothing on the server. Everybody gets one with the first form,
 * because its CSRF token is here. Somebody who copies the cookie is signed in until it expires: keep sessions in a Durable
 * Object or a database if you must be able to end them from elsewhere.
 *
 * The cookie is signed and not encrypted, so it has no secret of the person. Change its name when you change this type.
 */
export interface Session {
  /** Baton gets it as `sid`, so that a sign-out finds all apps of this session. It is no secret. */
  id: string;
  csrf: string;
  /** Seconds since 1970. Using the session does not make it longer. */
  expires_at: number;
  /** Left out: nobody has signed in yet. `request_hash` names the request for which they did. */
  user?: { sub: string; auth_time: number; request_hash: string };
  /** The scopes that the person has allowed, by `consentKey`, newest last. They are forgotten when the session ends. */
  consents: [key: string, scopes: string[]][];
}

const COOKIE = "login-session-1";
const LIFETIME_SECONDS = 12 * 60 * 60;
/** Browsers take 4096 bytes. The rest is for the name, the signature and the attributes. */
const MAX_CHARACTERS = 3800;

/** Makes a session in which nobody has signed in. */
export function newSession(): Session {
  const [id, csrf] = [crypto.randomUUID(), crypto.randomUUID()];
  return { id, csrf, expires_at: now() + LIFETIME_SECONDS, consents: [] };
}

/**
 * Makes the session of a person who has just signed in. It is a new one, so that nobody can prepare a session for
 * somebody else. A person who has typed the password again keeps the id, because Baton and the apps know it.
 *
 * @param request may be empty
 */
export async function newSessionOf(
  sub: string,
  request: string,
  before: Session,
): Promise<Session> {
  const { id, consents } = before.user?.sub === sub ? before : newSession();
  const request_hash = await hashOf(request);
  const user = { sub, auth_time: now(), request_hash };
  return { ...newSession(), id, consents, user };
}

/** Tells whether the session began with a sign-in for this very request. */
export async function hasSignedInFor(
  request: string,
  { user }: Session,
): Promise<boolean> {
  return user?.request_hash === (await hashOf(request));
}

async function hashOf(request: string): Promise<string> {
  const bytes = new TextEncoder().encode(request);
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(hash).toBase64();
}

/** Reads the session of a browser. Makes a new one if there is none, or if it has expired or was altered. */
export async function readSession(c: Context<App>): Promise<Session> {
  const prefix = isHttps(c) ? "host" : undefined;
  const value = await getSignedCookie(c, secret(c), COOKIE, prefix);
  const session = value ? (decode(value) as Session) : undefined;
  return session && session.expires_at > now() ? session : newSession();
}

/**
 * Names what a consent is for: the app. Of an app that has registered itself also the host to which the browser goes, and
 * the resources, because nobody else has decided which of them it may have.
 */
function consentKey(asked: AuthorizationDescription): string {
  const { client_id, needs_consent, redirect_host, resource } = asked;
  return needs_consent
    ? JSON.stringify([client_id, redirect_host, ...resource])
    : client_id;
}

/** Remembers what a person has allowed an app. It replaces what they allowed before. */
export function withConsent(
  session: Session,
  asked: AuthorizationDescription,
  scopes: string[],
): Session {
  const key = consentKey(asked);
  const others = session.consents.filter(([other]) => other !== key);
  return { ...session, consents: [...others, [key, scopes]] };
}

/** Tells whether a person has allowed an app everything that it asks for. */
export function hasConsent(
  { consents }: Session,
  asked: AuthorizationDescription,
): boolean {
  const key = consentKey(asked);
  const [, allowed] = consents.find(([other]) => other === key) ?? [];
  return (
    allowed !== undefined &&
    asked.scopes.every(({ scope }) => allowed.includes(scope))
  );
}

/** Sends the cookie with the session. The oldest consents are forgotten if there are too many. */
export async function writeSession(
  c: Context<App>,
  session: Session,
): Promise<void> {
  let { consents } = session;
  let value = encode({ ...session, consents });
  while (value.length > MAX_CHARACTERS && consents.length > 0) {
    consents = consents.slice(1);
    value = encode({ ...session, consents });
  }
  const options = { ...attributes(c), maxAge: session.expires_at - now() };
  const cookie = await generateSignedCookie(COOKIE, value, secret(c), options);
  c.header("Set-Cookie", cookie);
}

/** Removes the cookie. */
export function endSession(c: Context<App>): void {
  deleteCookie(c, COOKIE, attributes(c));
}

/**
 * Tells whether a form comes from a page of this session. Without this check any site could sign a person in as
 * somebody else, press "Allow" for them, or sign them out.
 */
export function hasCsrfToken(
  form: URLSearchParams,
  session: Session,
): Promise<boolean> {
  return timingSafeEqual(form.get("csrf") ?? "", session.csrf);
}

/**
 * The attributes of the cookie. Scripts cannot read it, and forms of other sites do not send it. The prefix `__Host-`
 * keeps other hosts of the domain from setting it; browsers accept it with https only.
 */
function attributes(c: Context<App>) {
  return {
    httpOnly: true,
    sameSite: "Lax" as const,
    path: "/",
    ...(isHttps(c) && { secure: true, prefix: "host" as const }),
  };
}

function isHttps(c: Context<App>): boolean {
  return c.req.url.startsWith("https:");
}

function secret(c: Context<App>): string {
  const { SESSION_SECRET = "" } = c.env;
  if (SESSION_SECRET.length < 32)
    throw new Error(
      "SESSION_SECRET is missing or has fewer than 32 characters. Make it with: openssl rand -base64 32",
    );
  return SESSION_SECRET;
}

function encode(session: Session): string {
  const bytes = new TextEncoder().encode(JSON.stringify(session));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function decode(value: string): unknown {
  const bytes = Uint8Array.fromBase64(value, { alphabet: "base64url" });
  return JSON.parse(new TextDecoder().decode(bytes));
}
