import { join } from "node:path";
import type { Contender } from "../contender.ts";
import { login, verifiedBy } from "./client.ts";
import { node, startedByNode, store } from "./node-server.ts";
import { common } from "./settings.ts";
import { versionOf } from "./versions.ts";

const { issuer, audience, client_id, client_secret } = common;

/** https://github.com/panva/node-oidc-provider */
export const oidcProvider: Contender = {
  name: "oidc-provider",
  version: versionOf("oidc-provider"),
  role: "peer",
  about: { runtime: node, store, accessToken: "JWT (ES256)" },

  ...startedByNode(
    join(import.meta.dirname, "oidc-provider/server.ts"),
    "/jwks",
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
