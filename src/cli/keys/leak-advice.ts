import type { KeyKind } from "./key-names.ts";
import { keyTable } from "./key-table.ts";
import type { KeyTarget } from "./key-target.ts";
import type { ServerKey } from "./server-key.ts";
import { secondsText } from "./times.ts";

/** What `baton keys leaked` says of a leak: what it allows, what the removal costs, and what is left to do. */

/** The JWKS says `max-age=300`, and the removal reaches every location within about a minute. */
const BELIEVED_SECONDS = 360;

/** What a leak of each kind allows, as docs/security.md has it. */
const allows: Record<KeyKind, (target: KeyTarget) => string[]> = {
  private: () => [
    "Whoever has a private key can make access tokens for anybody. An API believes them",
    "until the key is out of the JWKS and of the API's cache. Nobody can make refresh tokens",
    "with it. Together with an encryption key it also makes codes for any user of a public",
    "client, so remove it at once.",
  ],
  encryption: ({ commandLine }) => [
    "Whoever has an encryption key can read requests and codes on their way, and nobody can",
    "make a token of a login with it alone. If no private key and no refresh token has leaked",
    "beside it, you may answer no here and rotate instead, which logs nobody out:",
    `  ${commandLine("rotate --kind encryption")}`,
    `If a private key has leaked too, replace that one first: ${commandLine("leaked private")}`,
  ],
};

/** What the removal costs. */
export const costs: Record<KeyKind, string> = {
  private:
    "Access tokens that it has signed are refused, and apps refresh them. Nobody is logged out.\nUsers who are on the sign-in page start again.",
  encryption:
    "Every refresh token, code and sign-in that it has made is refused: those users sign in\nagain. Access tokens are good until they expire.",
};

export function introduction(
  target: KeyTarget,
  kind: KeyKind,
  secret: string,
  keys: readonly ServerKey[],
): string {
  const { url, store } = target;
  return [
    `${secret} of ${url}, whose secrets are in ${store.describe()}, has leaked.`,
    ...allows[kind](target),
    "",
    keyTable(keys.filter((key) => key.kind === kind)),
    "",
  ].join("\n");
}

/** What is still to be done when the key is gone. */
export function afterwards(
  kind: KeyKind,
  removedAt: number | undefined,
): string[] {
  if (kind === "encryption")
    return [
      "Users whose refresh token it has made sign in again. In the log, their refresh has",
      "the reason refresh_token_forged.",
    ];
  const until =
    removedAt === undefined
      ? "for six minutes after the removal"
      : `until ${secondsText(removedAt + BELIEVED_SECONDS)}`;
  return [
    `An API that keeps the JWKS for its max-age believes forged tokens ${until}.`,
    "One that keeps it longer must be restarted. /introspect refuses them now. Look in the logs",
    "of your APIs for access tokens with this kid that Baton's log does not have.",
  ];
}
