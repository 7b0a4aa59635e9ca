import { join } from "node:path";
import type { Contender } from "../contender.ts";
import { call, login } from "./client.ts";
import { node, startedByNode, storeText } from "./node-server.ts";
import { common } from "./settings.ts";
import { versionOf } from "./versions.ts";

const { client_id, client_secret } = common;

/** https://github.com/node-oauth/node-oauth2-server, with a store that syncs each commit */
export const nodeOauth = contender(true);

/** The same with a store that does not sync. It shows what the syncs cost. */
export const nodeOauthWithoutSync = contender(false);

function contender(sync: boolean): Contender {
  return {
    name: sync
      ? "@node-oauth/oauth2-server"
      : "@node-oauth/oauth2-server, no sync",
    version: versionOf("@node-oauth/oauth2-server"),
    role: "peer",
    about: {
      runtime: node,
      store: storeText(sync),
      accessToken: "opaque",
      synced: sync,
    },

    ...startedByNode(
      join(import.meta.dirname, "node-oauth/server.ts"),
      "/",
      sync,
    ),

    async prepare({ url }) {
      return {
        tokenPath: "/token",
        credentials: { client_id, client_secret },
        login: () => login(`${url}/bench/login`),
        async verify(accessToken) {
          await call("GET", `${url}/bench/resource`, undefined, {
            authorization: `Bearer ${accessToken}`,
          });
        },
      };
    },
  };
}
