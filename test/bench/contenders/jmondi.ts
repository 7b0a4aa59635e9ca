import { join } from "node:path";
import type { Contender } from "../contender.ts";
import { login, verifiedBy } from "./client.ts";
import { node, startedByNode, storeText } from "./node-server.ts";
import { common } from "./settings.ts";
import { versionOf } from "./versions.ts";

const { issuer, audience, client_id, client_secret } = common;

/** https://github.com/jasonraimondi/ts-oauth2-server */
export const jmondi: Contender = {
  name: "@jmondi/oauth2-server",
  version: versionOf("@jmondi/oauth2-server"),
  role: "peer",
  about: {
    runtime: node,
    store: storeText(true),
    accessToken: "JWT (ES256)",
    synced: true,
  },

  ...startedByNode(
    join(import.meta.dirname, "jmondi/server.ts"),
    "/jwks",
    true,
  ),

  async prepare({ url }) {
    return {
      tokenPath: "/token",
      credentials: { client_id, client_secret },
      login: () => login(`${url}/bench/login`),
      verify: verifiedBy(`${url}/jwks`, { typ: "JWT", issuer, audience }),
    };
  },
};
