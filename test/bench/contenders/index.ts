import type { Contender } from "../contender.ts";
import { baton } from "./baton.ts";
import { floor } from "./floor.ts";
import { jmondi } from "./jmondi.ts";
import { nodeOauth, nodeOauthWithoutSync } from "./node-oauth.ts";
import { oidcProvider, oidcProviderWithoutSync } from "./oidc-provider.ts";
import { workersOauthProvider } from "./workers-oauth-provider.ts";

export { floor };

/** All servers that are measured, in the order in which they are shown. */
export const contenders: Contender[] = [
  floor,
  baton,
  oidcProvider,
  oidcProviderWithoutSync,
  jmondi,
  nodeOauth,
  nodeOauthWithoutSync,
  workersOauthProvider,
];
