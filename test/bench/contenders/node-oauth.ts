import { join } from "node:path";
import type { Contender } from "../contender.ts";
import { call, login } from "./client.ts";
import { node, startedByNode, store } from "./node-server.ts";
import { common } from "./settings.ts";
import { versionOf } from "./versions.ts";

const { client_id, client_secret } = common;

/** https://github.com/node-oauth/node-oauth2-server */
export const nodeOauth: Contender = {
  name: "@node-oauth/oauth2-server",
  version: versionOf("@node-oauth/oauth2-server"),
  role: "peer",
  about: { runtime: node, store, accessToken: "opaque" },

  ...startedByNode(join(import.meta.dirname, "node-oauth/server.ts"), "/"),

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
