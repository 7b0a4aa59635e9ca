import { checkClaims } from "./claims.ts";
import type { CheckToken, ResourceOptions, TokensBinding } from "./options.ts";

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
      return { invalid: "The token has expired, or its login has ended." };
    // Baton knows refresh tokens as well, and says no type of them.
    if (token_type !== "Bearer" || claims["iss"] !== options.issuer)
      return { invalid: "The token is not an access token of this issuer." };
    return checkClaims(token, claims, options);
  };
}

async function ask(
  tokens: TokensBinding,
  token: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    return (await tokens.introspect(token)) as Record<string, unknown>;
  } catch (error) {
    console.error(`The question about a token: ${String(error)}`);
    return undefined;
  }
}
