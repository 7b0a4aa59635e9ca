import { join } from "node:path";
import { call } from "../contenders/client.ts";
import { common } from "../contenders/settings.ts";
import { commit, versionOf } from "../contenders/versions.ts";
import { secretsIn } from "../keys.ts";
import { freePort } from "../ports.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";
import { withClock } from "./clock/workerd.ts";
import { HttpStage, type TokenClient } from "./http-stage.ts";
import type { Profile } from "./profile.ts";
import {
  byAssertion,
  byDPoP,
  type Keys,
  makeKeys,
  makeStolenKeys,
} from "./proofs.ts";

/** Baton, as it is deployed. Each row is a client with another record, or with a key. */

/** Baton while it runs. */
export interface Running {
  url: string;
  /** Sends a request as an administrator. */
  admin: (
    method: "POST" | "PUT",
    path: string,
    json: Record<string, unknown>,
    headers?: Record<string, string>,
  ) => ReturnType<typeof call>;
}

/** A client, before its name and the URL of its server are added. */
type Client = Pick<TokenClient, "clientId" | "login" | "prove">;

function baton(
  name: string,
  about: string,
  register: (running: Running) => Promise<Client>,
): Profile {
  return {
    name: `Baton, ${name}`,
    role: "own",
    version: commit(),
    runtime: `workerd ${versionOf("workerd")}`,
    about,
    async start(folder) {
      const config = join(import.meta.dirname, "../../../wrangler.toml");
      const worker = await withClock(await buildUpload(config, folder));
      const { PRIVATE_KEY, MAC_KEY, ADMIN_TOKEN } = secretsIn(folder);
      const variables = {
        ISSUER: common.issuer,
        PRIVATE_KEY,
        ENCRYPTION_KEY: MAC_KEY,
        ADMIN_TOKEN,
      };
      const server = await startWorkerd(
        { worker, variables, kv: ["KV"] },
        folder,
        await freePort(),
      );
      const { url } = server;
      const authorization = `Bearer ${ADMIN_TOKEN}`;
      const admin: Running["admin"] = (method, path, json, headers) =>
        call(method, `${url}/admin${path}`, json, {
          authorization,
          ...headers,
        });
      const description = "A scope of the benchmark";
      await admin("PUT", "/scopes/read", { description });
      const client = await register({ url, admin });
      const tokenUrl = `${url}/access_token`;
      const stage = new HttpStage({ name: this.name, tokenUrl, ...client });
      return { stage, server };
    },
  };
}

async function registered(
  { admin }: Running,
  metadata: Record<string, unknown>,
): Promise<string> {
  const { client_id } = await admin("POST", "/clients", {
    scope: "read",
    redirect_uris: ["http://127.0.0.1/callback"],
    ...metadata,
  });
  return String(client_id);
}

/** The login of a back end that has signed its user in by its own means. */
function startedGrant(
  { admin }: Running,
  client_id: string,
  more: { dpop_jkt?: string } = {},
): TokenClient["login"] {
  return async (headers) => {
    const grant = { client_id, subject: "alice", ...more };
    const answer = await admin("POST", "/grants", grant, headers);
    return String(answer.refresh_token);
  };
}

/** A public client without a key. */
function bearer(refresh_token_retry_window: string, about: string): Profile {
  const name =
    refresh_token_retry_window === "PT0S"
      ? "strict"
      : `window ${refresh_token_retry_window}`;
  return baton(name, about, async (running) => {
    const clientId = await registered(running, {
      token_endpoint_auth_method: "none",
      refresh_token_retry_window,
    });
    return { clientId, login: startedGrant(running, clientId) };
  });
}

/** A public client whose login is bound to its key from its first token on. */
function withDPoP(
  name: string,
  about: string,
  make: () => Promise<Keys>,
): Profile {
  return baton(name, about, async (running) => {
    const clientId = await registered(running, {
      token_endpoint_auth_method: "none",
    });
    const keys = await make();
    const dpop_jkt = keys.holder.jkt;
    return {
      clientId,
      prove: byDPoP(keys, `${common.issuer}/access_token`),
      login: startedGrant(running, clientId, { dpop_jkt }),
    };
  });
}

const withPrivateKeyJwt = baton(
  "private_key_jwt",
  "a confidential client that authenticates with its key; the defaults",
  async (running) => {
    const keys = await makeKeys();
    const clientId = await registered(running, {
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [keys.holder.jwk] },
    });
    const prove = byAssertion(keys, common.issuer, clientId);
    return { clientId, prove, login: startedGrant(running, clientId) };
  },
);

/** All rows of Baton, in their order. */
export const batonProfiles: readonly Profile[] = [
  bearer("PT0S", "the default of a client that is registered by hand"),
  bearer(
    "PT1M",
    "the default of a client that registers itself: refresh_token_retry_window of a minute",
  ),
  bearer("PT1H", "the longest window that a client may have"),
  withDPoP("DPoP", "a public client with a key; the defaults", makeKeys),
  withPrivateKeyJwt,
  withDPoP(
    "DPoP, key stolen too",
    "the same as Baton, DPoP, but the thief has a copy of the key",
    makeStolenKeys,
  ),
];
