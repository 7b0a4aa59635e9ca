import type { Contender } from "../contender.ts";
import { baton } from "./baton.ts";
import { floor } from "./floor.ts";
import { jmondi } from "./jmondi.ts";
import { nodeOauth } from "./node-oauth.ts";
import { oidcProvider } from "./oidc-provider.ts";
import { workersOauthProvider } from "./workers-oauth-provider.ts";

export { floor };

/** All servers that are measured, in the order in which they are shown. */
export const contenders: Contender[] = [
  floor,
  baton,
  oidcProvider,
  jmondi,
  nodeOauth,
  workersOauthProvider,
];
