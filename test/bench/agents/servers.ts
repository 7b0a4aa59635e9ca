import { join } from "node:path";
import { ServerProcess } from "../server-process.ts";
import { call, login } from "../contenders/client.ts";
import { node } from "../contenders/node-server.ts";
import { common, type Settings } from "../contenders/settings.ts";
import { versionOf } from "../contenders/versions.ts";
import { freePort } from "../ports.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";
import { batonProfiles } from "./baton.ts";
import { withClock } from "./clock/workerd.ts";
import { HttpStage } from "./http-stage.ts";
import type { Profile } from "./profile.ts";
import { byAssertion, byDPoP, makeKeys } from "./proofs.ts";

/**
 * The servers of this benchmark: those of `npm run bench`, each in its default configuration, and with its documented
 * leniency where it has one. Their clients are public ones, as agents are. Servers that bind tokens to keys are played with
 * a key as well.
 */

const contenders = join(import.meta.dirname, "../contenders");
const clockOfNode = join(import.meta.dirname, "clock/node.ts");
const workerd = `workerd ${versionOf("workerd")}`;
/** The delay of a store that is reached over a network, even if it is in the next rack. */
const NEAREST_NETWORK_MS = 1;

interface NodeOptions {
  storeDelay?: number;
  rotation?: "always" | "never";
  /** How the client proves its key. Left out: it is a public client without one. */
  keyBy?: "DPoP" | "private_key_jwt";
}

function onNode(
  name: string,
  folderName: string,
  about: string,
  { storeDelay = 0, rotation, keyBy }: NodeOptions = {},
): Profile {
  return {
    name,
    role: "peer",
    version: versionOf(name.split(",")[0] ?? ""),
    runtime: node,
    about,
    async start(folder) {
      const port = await freePort();
      const keys = await makeKeys();
      const settings: Settings = {
        ...common,
        folder,
        port,
        sync: true,
        storeDelay,
        agents: {
          ...(rotation && { rotation }),
          ...(keyBy === "DPoP" && { jkt: keys.holder.jkt }),
          ...(keyBy === "private_key_jwt" && { jwk: keys.holder.jwk }),
        },
      };
      const script = join(contenders, folderName, "server.ts");
      const server = await ServerProcess.start({
        command: process.execPath,
        args: ["--import", clockOfNode, script, JSON.stringify(settings)],
        env: { NODE_ENV: "production" },
        port,
        up: "/",
        folder,
      });
      const { url } = server;
      const tokenUrl = `${url}/token`;
      const { issuer, client_id: clientId } = common;
      const stage = new HttpStage({
        name,
        tokenUrl,
        clientId,
        ...(keyBy === "DPoP" && { prove: byDPoP(keys, tokenUrl) }),
        ...(keyBy === "private_key_jwt" && {
          prove: byAssertion(keys, issuer, clientId),
        }),
        login: (headers) => login(`${url}/bench/login`, undefined, headers),
      });
      return { stage, server };
    },
  };
}

const workersOauthProvider: Profile = {
  name: "@cloudflare/workers-oauth-provider",
  role: "peer",
  version: versionOf("@cloudflare/workers-oauth-provider"),
  runtime: workerd,
  about:
    "the default: the previous token is valid until the newest one is used",
  async start(folder) {
    const config = join(contenders, "workers-oauth-provider/wrangler.toml");
    const worker = await withClock(await buildUpload(config, folder));
    const server = await startWorkerd(
      { worker, kv: ["OAUTH_KV"] },
      folder,
      await freePort(),
    );
    const { url } = server;
    const client = await call("POST", `${url}/bench/client?none`);
    const client_id = String(client.client_id);
    const stage = new HttpStage({
      name: this.name,
      tokenUrl: `${url}/oauth/token`,
      clientId: client_id,
      login: (headers) => login(`${url}/bench/login`, { client_id }, headers),
    });
    return { stage, server };
  },
};

const far = { storeDelay: NEAREST_NETWORK_MS };
const farText = "the default, with its store a millisecond away";
const unrotated = { rotation: "never" } as const;

/** All rows of the tables, in their order. */
export const profiles: readonly Profile[] = [
  ...batonProfiles,
  onNode("oidc-provider", "oidc-provider", "the default for public clients"),
  onNode("oidc-provider, store 1 ms away", "oidc-provider", farText, far),
  onNode(
    "oidc-provider, no rotation",
    "oidc-provider",
    "rotateRefreshToken: false",
    unrotated,
  ),
  onNode(
    "oidc-provider, DPoP",
    "oidc-provider",
    "the default for a public client with a key, whose tokens it rotates late in their life",
    { keyBy: "DPoP" },
  ),
  onNode(
    "oidc-provider, DPoP, rotation",
    "oidc-provider",
    "a public client with a key; rotateRefreshToken: true",
    { keyBy: "DPoP", rotation: "always" },
  ),
  onNode(
    "oidc-provider, private_key_jwt",
    "oidc-provider",
    "the default for a confidential client, whose tokens it rotates late in their life",
    { keyBy: "private_key_jwt" },
  ),
  onNode("@jmondi/oauth2-server", "jmondi", "the default"),
  onNode("@jmondi/oauth2-server, store 1 ms away", "jmondi", farText, far),
  onNode("@node-oauth/oauth2-server", "node-oauth", "the default"),
  onNode(
    "@node-oauth/oauth2-server, store 1 ms away",
    "node-oauth",
    farText,
    far,
  ),
  onNode(
    "@node-oauth/oauth2-server, no rotation",
    "node-oauth",
    "alwaysIssueNewRefreshToken: false",
    unrotated,
  ),
  workersOauthProvider,
];
