import type { AuthorizationDescription } from "./baton.ts";
import type { SignedInUser } from "./app.ts";
import { hasConsent, type Session } from "./session.ts";
import { isOnDevice } from "./stranger.tsx";

/** What a person must do before Baton gets a decision. */
export type Step = "sign-in" | "choose-account" | "consent";

/** The errors for an app that forbids a page (`prompt=none`) while there is something to do. */
export const silentErrors = {
  "sign-in": "login_required",
  "choose-account": "account_selection_required",
  consent: "consent_required",
} as const satisfies Record<Step, string>;

interface Situation {
  session: Session;
  user: SignedInUser | undefined;
  /** The person has signed in for this very request. */
  hasSignedIn: boolean;
  /** The person has chosen the account of the session for this request. */
  hasChosen: boolean;
  /** This Worker runs on a developer's machine. */
  isLocal: boolean;
  /** In seconds since 1970. */
  now: number;
}

/**
 * Decides what a person must do next, as OpenID Connect Core section 3.1.2.1 says for `prompt`, `max_age`,
 * `login_hint` and `id_token_hint`. A person who has just signed in for the request
 * need not do so again.
 *
 * @returns undefined if there is nothing to do
 */
export function nextStep(
  asked: AuthorizationDescription,
  { session, user, hasSignedIn, hasChosen, isLocal, now }: Situation,
): Step | undefined {
  if (!user) return "sign-in";
  const prompts = asked.prompt?.split(" ") ?? [];
  if (!hasSignedIn) {
    const { max_age = Infinity, hinted_subject = user.sub, login_hint } = asked;
    const isTooOld = now - user.auth_time >= max_age;
    const isOther = hinted_subject !== user.sub;
    if (prompts.includes("login") || isTooOld || isOther) return "sign-in";
    const isHinted =
      login_hint === undefined ||
      [user.sub, user.profile.email].includes(login_hint);
    const mustChoose = prompts.includes("select_account") || !isHinted;
    if (mustChoose && !hasChosen) return "choose-account";
  }

  // Any program can take a scheme or a loopback port, so such an app must ask each time (RFC 8252 section 8.6).
  const isCertain = asked.needs_consent
    ? !isOnDevice(asked)
    : isLocal || asked.redirect_uri.startsWith("https:");
  const mustAsk =
    prompts.includes("consent") || !isCertain || !hasConsent(session, asked);
  return mustAsk ? "consent" : undefined;
}
