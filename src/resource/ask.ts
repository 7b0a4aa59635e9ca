import { checkClaims } from "./claims.ts";
import type { CheckToken, ResourceOptions, TokensBinding } from "./options.ts";
import { within } from "./time.ts";

/** The time that one question may take, in milliseconds. */
const ASK_MS = 5_000;

/** Makes a check that asks Baton (RFC 7662). A token whose login has ended is not good. */
export function byQuestion(
  tokens: TokensBinding,
  options: ResourceOptions,
): CheckToken {
  return async (token) => {
    const answer = await ask(tokens, token);
    if (typeof answer?.["active"] !== "boolean")
      return { unavailable: "The issuer cannot be asked." };
    const { active, token_type, ...claims } = answer;
    if (!active)
      return {
        invalid:
          "The token has expired, or its login has ended. Get a new one, or sign the user in again.",
      };
    // Baton answers for refresh tokens as well, but without a `token_type`.
    const isAccessToken = token_type === "Bearer" || token_type === "DPoP";
    if (!isAccessToken || claims["iss"] !== options.issuer)
      return {
        invalid:
          "The token is not an access token of the issuer that the metadata names. Get one there.",
      };
    return checkClaims(token, claims, options);
  };
}

/** Asks Baton. Undefined: it did not answer in time. */
async function ask(
  tokens: TokensBinding,
  token: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    const answer = await within(ASK_MS, tokens.introspect(token));
    if (!answer) throw new Error("it was not answered in time");
    return answer as Record<string, unknown>;
  } catch (error) {
    console.error(`The question about a token: ${String(error)}`);
    return undefined;
  }
}
