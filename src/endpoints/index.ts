import { authorizationEndpoints } from "./authorization.ts";
import type { Endpoint } from "./endpoint.ts";
import { endSessionEndpoints } from "./end-session.ts";
import { healthEndpoint } from "./health.ts";
import { jwksEndpoint } from "./jwks.ts";
import { introspectionEndpoint } from "./introspection.ts";
import { metadataEndpoints } from "./metadata.ts";
import { registrationEndpoints } from "./registration.ts";
import { revocationEndpoint } from "./revocation.ts";
import { passportTokenEndpoint, tokenEndpoint } from "./token.ts";
import { userInfoEndpoints } from "./user-info.ts";

/** The endpoints that the metadata may describe. */
const described: Endpoint[] = [
  ...authorizationEndpoints,
  tokenEndpoint,
  passportTokenEndpoint,
  revocationEndpoint,
  introspectionEndpoint,
  ...registrationEndpoints,
  ...userInfoEndpoints,
  ...endSessionEndpoints,
  jwksEndpoint,
  healthEndpoint,
];

/** The registry: every endpoint except the admin API, which has its own OpenAPI document. */
export const endpoints: readonly Endpoint[] = [
  ...described,
  ...metadataEndpoints(described),
];
