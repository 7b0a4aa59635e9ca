import { join } from "node:path";
import type { Contender } from "../contender.ts";
import { login, verifiedBy } from "./client.ts";
import { node, startedByNode, storeText } from "./node-server.ts";
import { common } from "./settings.ts";
import { versionOf } from "./versions.ts";

const { issuer, audience, client_id, client_secret } = common;

/** https://github.com/panva/node-oidc-provider, with a store that syncs each commit */
export const oidcProvider = contender(true);

/** The same with a store that does not sync. It shows what the syncs cost. */
export const oidcProviderWithoutSync = contender(false);

function contender(sync: boolean): Contender {
  return {
    name: sync ? "oidc-provider" : "oidc-provider, no sync",
    version: versionOf("oidc-provider"),
    role: "peer",
    about: {
      runtime: node,
      store: storeText(sync),
      accessToken: "JWT (ES256)",
      synced: sync,
    },

    ...startedByNode(
      join(import.meta.dirname, "oidc-provider/server.ts"),
      "/jwks",
      sync,
    ),

    async prepare({ url }) {
      return {
        tokenPath: "/token",
        credentials: { client_id, client_secret },
        login: () => login(`${url}/bench/login`),
        verify: verifiedBy(`${url}/jwks`, { typ: "at+jwt", issuer, audience }),
      };
    },
  };
}
