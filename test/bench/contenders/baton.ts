import { join } from "node:path";
import type { BenchClient, Contender } from "../contender.ts";
import { secretsIn } from "../keys.ts";
import type { ServerProcess } from "../server-process.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";
import { checkRetryWindow, checkStrict } from "./baton/promises.ts";
import { call, login, verifiedBy } from "./client.ts";
import { commit, versionOf } from "./versions.ts";

const wranglerToml = join(import.meta.dirname, "../../../wrangler.toml");
// No request goes to this address.
const ISSUER = "https://auth.example";

/** Baton as `wrangler deploy` builds it. It is strict, as by default: reuse of a token ends the family. */
export const baton: Contender = {
  name: "Baton",
  version: commit(),
  role: "own",
  about: {
    runtime: `workerd ${versionOf("workerd")}`,
    store: "Durable Object",
    accessToken: "JWT (ES256)",
    synced: true,
  },

  async start(folder, port) {
    const worker = await buildUpload(wranglerToml, folder);
    const { PRIVATE_KEY, MAC_KEY, ADMIN_TOKEN } = secretsIn(folder);
    const secrets = { PRIVATE_KEY, ENCRYPTION_KEY: MAC_KEY, ADMIN_TOKEN };
    const variables = { ISSUER, ...secrets };
    return startWorkerd({ worker, variables, kv: ["KV"] }, folder, port);
  },

  async prepare(server) {
    const description = "A scope of the benchmark";
    for (const scope of ["read", "write"])
      await call(
        "PUT",
        `${server.url}/admin/scopes/${scope}`,
        { description },
        asAdmin(server),
      );
    return { ...(await register(server)), check: checkStrict };
  },

  variants: {
    "retry window PT30S": async (server) => ({
      ...(await register(server, { refresh_token_retry_window: "PT30S" })),
      check: checkRetryWindow,
    }),
  },
};

async function register(
  server: ServerProcess,
  metadata: object = {},
): Promise<BenchClient> {
  const { url } = server;
  const registered = await call(
    "POST",
    `${url}/admin/clients`,
    { client_name: "Bench", scope: "read write", ...metadata },
    asAdmin(server),
  );
  const client_id = String(registered.client_id);
  const client_secret = String(registered.client_secret);
  let logins = 0;
  return {
    tokenPath: "/access_token",
    credentials: { client_id, client_secret },
    login() {
      logins += 1;
      const grant = { client_id, subject: `user-${logins}` };
      return login(`${url}/admin/grants`, grant, asAdmin(server));
    },
    verify: verifiedBy(`${url}/.well-known/jwks.json`, {
      typ: "at+jwt",
      issuer: ISSUER,
      audience: ISSUER,
    }),
  };
}

function asAdmin({ folder }: ServerProcess): Record<string, string> {
  return { authorization: `Bearer ${secretsIn(folder).ADMIN_TOKEN}` };
}
