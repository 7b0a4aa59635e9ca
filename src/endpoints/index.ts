import { authorizationEndpoint } from "./authorization.ts";
import type { Endpoint } from "./endpoint.ts";
import { healthEndpoint } from "./health.ts";
import { jwksEndpoint } from "./jwks.ts";
import { introspectionEndpoint } from "./introspection.ts";
import { metadataEndpoint } from "./metadata.ts";
import { revocationEndpoint } from "./revocation.ts";
import { passportTokenEndpoint, tokenEndpoint } from "./token.ts";

const described: Endpoint[] = [
  authorizationEndpoint,
  tokenEndpoint,
  passportTokenEndpoint,
  revocationEndpoint,
  introspectionEndpoint,
  jwksEndpoint,
  healthEndpoint,
];

/** The registry: every endpoint but the admin API, whose routes describe themselves. */
export const endpoints: readonly Endpoint[] = [
  ...described,
  metadataEndpoint(described),
];
