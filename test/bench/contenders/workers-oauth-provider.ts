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
 * Cloudflare's own. Of rotation its documentation says: "The immediately previous token remains valid
 * until its replacement is first used, allowing a client to retry after losing a refresh response"
 * (docs/authorization-server.md, "PKCE and token lifecycle"). So two are good at any time: the newest,
 * and the one before, which gets another successor however often it comes, and whose last one counts.
 * An older one is refused, and ends nothing.
 */
export const workersOauthProvider: Contender = {
  name: "@cloudflare/workers-oauth-provider",
  version: versionOf("@cloudflare/workers-oauth-provider"),
  role: "peer",
  about: {
    runtime: `workerd ${versionOf("workerd")}`,
    store: "KV (local, SQLite behind it)",
    accessToken: "opaque",
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
          // The resource that its tokens are for is on the host of this name, whatever the port.
          host: "localhost",
        });
      },
    };
  },
};
