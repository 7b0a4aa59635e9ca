import type { Settings } from "../oauth/settings.ts";
import { authorizationCodeGrant } from "./authorization-code.ts";
import { clientCredentialsGrant } from "./client-credentials.ts";
import type { GrantType } from "./grant-type.ts";
import { refreshTokenGrant } from "./refresh-token.ts";

/** The registry: what the token endpoint answers to and the metadata lists. */
export const grants: readonly GrantType[] = [
  authorizationCodeGrant,
  clientCredentialsGrant,
  refreshTokenGrant,
];

/** The grants that the configuration has not left out. */
export function enabledGrantTypes(settings: Settings): GrantType[] {
  return grants.filter(({ isOn }) => isOn?.(settings) ?? true);
}
