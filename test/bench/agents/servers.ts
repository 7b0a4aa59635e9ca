import { join } from "node:path";
import { ServerProcess } from "../server-process.ts";
import { call, login } from "../contenders/client.ts";
import { node } from "../contenders/node-server.ts";
import { common, type Settings } from "../contenders/settings.ts";
import { commit, versionOf } from "../contenders/versions.ts";
import { secretsIn } from "../keys.ts";
import { freePort } from "../ports.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";
import { withClock } from "./clock/workerd.ts";
import { HttpStage } from "./http-stage.ts";
import type { Stage } from "./play.ts";

/**
 * The servers of this benchmark: those of `npm run bench`, each in its default configuration, and with its documented
 * leniency where it has one. Their clients are public ones, as agents are.
 */

/** A server with one configuration, which is one row of the tables. */
export interface Profile {
  name: string;
  role: "own" | "peer";
  version: string;
  runtime: string;
  /** The configuration, in the words of its documentation where it has some. */
  about: string;
  /** @param folder takes its data */
  start(folder: string): Promise<RunningProfile>;
}

export interface RunningProfile {
  stage: Stage;
  server: ServerProcess;
}

const contenders = join(import.meta.dirname, "../contenders");
const clockOfNode = join(import.meta.dirname, "clock/node.ts");
const workerd = `workerd ${versionOf("workerd")}`;
/** The delay of a store that is reached over a network, even if it is in the next rack. */
const NEAREST_NETWORK_MS = 1;

function baton(retryWindow: string, name: string, about: string): Profile {
  return {
    name: `Baton, ${name}`,
    role: "own",
    version: commit(),
    runtime: workerd,
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
      const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };
      const description = "A scope of the benchmark";
      await call("PUT", `${url}/admin/scopes/read`, { description }, admin);
      const client = {
        scope: "read",
        token_endpoint_auth_method: "none",
        redirect_uris: ["http://127.0.0.1/callback"],
        refresh_token_retry_window: retryWindow,
      };
      const { client_id } = await call(
        "POST",
        `${url}/admin/clients`,
        client,
        admin,
      );
      const grant = { client_id, subject: "alice" };
      const stage = new HttpStage({
        name: this.name,
        tokenUrl: `${url}/access_token`,
        clientId: String(client_id),
        login: (time) =>
          login(`${url}/admin/grants`, grant, { ...admin, ...time }),
      });
      return { stage, server };
    },
  };
}

function onNode(
  name: string,
  folderName: string,
  about: string,
  { storeDelay = 0, withoutRotation = false } = {},
): Profile {
  return {
    name,
    role: "peer",
    version: versionOf(name.split(",")[0] ?? ""),
    runtime: node,
    about,
    async start(folder) {
      const port = await freePort();
      const settings: Settings = {
        ...common,
        folder,
        port,
        sync: true,
        storeDelay,
        agents: { withoutRotation },
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
      const stage = new HttpStage({
        name,
        tokenUrl: `${url}/token`,
        clientId: common.client_id,
        login: (time) => login(`${url}/bench/login`, undefined, time),
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
      login: (time) => login(`${url}/bench/login`, { client_id }, time),
    });
    return { stage, server };
  },
};

const far = { storeDelay: NEAREST_NETWORK_MS };
const farText = "the default, with its store a millisecond away";
const unrotated = { withoutRotation: true };

/** All rows of the tables, in their order. */
export const profiles: readonly Profile[] = [
  baton("PT0S", "strict", "the default of a client that is registered by hand"),
  baton(
    "PT1M",
    "window PT1M",
    "the default of a client that registers itself: refresh_token_retry_window of a minute",
  ),
  baton("PT1H", "window PT1H", "the longest window that a client may have"),
  onNode("oidc-provider", "oidc-provider", "the default for public clients"),
  onNode("oidc-provider, store 1 ms away", "oidc-provider", farText, far),
  onNode(
    "oidc-provider, no rotation",
    "oidc-provider",
    "rotateRefreshToken: false",
    unrotated,
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
