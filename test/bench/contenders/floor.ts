import { join } from "node:path";
import { importJWK, jwtVerify } from "jose";
import type { Contender } from "../contender.ts";
import { secretsIn } from "../keys.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";
import { login } from "./client.ts";
import { versionOf } from "./versions.ts";

const wranglerToml = join(import.meta.dirname, "floor/wrangler.toml");

/** The server that all others are compared with: see `floor/index.ts`. */
export const floor: Contender = {
  name: "the floor",
  version: "—",
  role: "floor",
  about: {
    runtime: `workerd ${versionOf("workerd")}`,
    store: "Durable Object",
    accessToken: "JWT (ES256)",
    synced: true,
  },

  async start(folder, port) {
    const worker = await buildUpload(wranglerToml, folder);
    const { PRIVATE_KEY, MAC_KEY } = secretsIn(folder);
    const variables = { PRIVATE_KEY, MAC_KEY };
    return startWorkerd({ worker, variables, kv: [] }, folder, port);
  },

  async prepare({ url, folder }) {
    const { d: _, ...jwk } = JSON.parse(
      secretsIn(folder).PRIVATE_KEY,
    ) as JsonWebKey & { kty: string };
    const key = await importJWK(jwk, "ES256");
    return {
      tokenPath: "/access_token",
      // As long as Baton's credentials. The floor does not read them.
      credentials: {
        client_id: "00000000-0000-0000-0000-000000000000",
        client_secret: `baton_cs_${"x".repeat(43)}`,
      },
      login: () => login(`${url}/bench/login`),
      async verify(accessToken) {
        await jwtVerify(accessToken, key, {
          algorithms: ["ES256"],
          typ: "at+jwt",
          requiredClaims: ["exp"],
        });
      },
    };
  },
};
