import { join } from "node:path";
import type { BenchClient, Contender } from "../contender.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";
import { call, login } from "./client.ts";
import { versionOf } from "./versions.ts";

const wranglerToml = join(
  import.meta.dirname,
  "workers-oauth-provider/wrangler.toml",
);

/**
 * Cloudflare's own library. Its documentation says about rotation: "The immediately previous token remains
 * valid until its replacement is first used, allowing a client to retry after losing a refresh response"
 * (docs/authorization-server.md, "PKCE and token lifecycle"). So two tokens are valid at any time: the
 * newest one and the one before it. Each time the previous token is presented, it gets a new successor, and
 * only the last successor is valid. An older token is refused, but its reuse ends nothing.
 */
export const workersOauthProvider: Contender = {
  name: "@cloudflare/workers-oauth-provider",
  version: versionOf("@cloudflare/workers-oauth-provider"),
  role: "peer",
  about: {
    runtime: `workerd ${versionOf("workerd")}`,
    store: "KV (local, SQLite behind it)",
    accessToken: "opaque",
    synced: true,
  },

  async start(folder, port) {
    const worker = await buildUpload(wranglerToml, folder);
    return startWorkerd({ worker, kv: ["OAUTH_KV"] }, folder, port);
  },

  async prepare({ url }): Promise<BenchClient> {
    const { client_id, client_secret } = await call(
      "POST",
      `${url}/bench/client`,
    );
    const credentials = {
      client_id: String(client_id),
      client_secret: String(client_secret),
    };
    return {
      tokenPath: "/oauth/token",
      credentials,
      login: () => login(`${url}/bench/login`, credentials),
      async verify(accessToken) {
        await call("GET", `${url}/api`, undefined, {
          authorization: `Bearer ${accessToken}`,
          // Its tokens are for a resource on the host of this name, with any port.
          host: "localhost",
        });
      },
    };
  },
};
