import type { GrantTypeName } from "../oauth/grant-types.ts";
import type { Settings } from "../oauth/settings.ts";
import { authorizationCodeGrant } from "./authorization-code.ts";
import { clientCredentialsGrant } from "./client-credentials.ts";
import type { GrantType } from "./grant-type.ts";
import { refreshTokenGrant } from "./refresh-token.ts";

/**
 * The registry: one entry for each name in `oauth/grant-types.ts`. The token endpoint and the metadata derive
 * from it.
 */
const registry: { [Name in GrantTypeName]: GrantType<Name> } = {
  authorization_code: authorizationCodeGrant,
  client_credentials: clientCredentialsGrant,
  refresh_token: refreshTokenGrant,
};

export const grantTypes: readonly GrantType[] = Object.values(registry);

/** The grant types that the configuration turns on. */
export function enabledGrantTypes(settings: Settings): GrantType[] {
  return grantTypes.filter(({ isOn }) => isOn?.(settings) ?? true);
}
