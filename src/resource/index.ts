/** For an API or an MCP server that takes Baton's access tokens. It imports jose alone. docs/resource-servers.md. */

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
