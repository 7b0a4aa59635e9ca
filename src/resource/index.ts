/** The guard of an API or an MCP server that takes Baton's access tokens: docs/resource-servers.md. It imports jose alone. */

export type {
  Checked,
  ResourceOptions,
  TokensBinding,
  VerifiedToken,
} from "./options.ts";
export {
  type ProtectedHandler,
  protectedResource,
  type ProtectedResource,
  type ScopeOf,
} from "./protected-resource.ts";
