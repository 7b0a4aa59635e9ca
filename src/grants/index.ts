import type { Grant } from "./grant.ts";
import { refreshTokenGrant } from "./refresh-token.ts";

/** The registry: what the token endpoint answers to and the metadata lists. */
export const grants: ReadonlyMap<string, Grant> = new Map(
  [refreshTokenGrant].map((grant) => [grant.type, grant]),
);
