/**
 * The guard of an API or an MCP server that takes Baton's access tokens: docs/resource-servers.md. This folder and
 * `../dpop/` import jose alone.
 */

export { certificateOfCloudflare } from "./certificate.ts";
export type {
  Checked,
  Invalid,
  Presentation,
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
