import { join } from "node:path";
import type { BenchClient, Contender } from "../contender.ts";
import { login } from "../contenders/client.ts";
import { versionOf } from "../contenders/versions.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";

/** The Workers that the first answers are compared with. They sign nothing. */

const about = {
  runtime: `workerd ${versionOf("workerd")}`,
  accessToken: "none",
  synced: true,
};
const tokenPath = "/access_token";
const verify = () => Promise.reject(new Error("It gives no access tokens"));

/** Hono with one route and nothing else. It refuses every token. */
export const honoOnly: Contender = {
  name: "Hono with one route",
  version: versionOf("hono"),
  role: "floor",
  about: { ...about, store: "none" },

  async start(folder, port) {
    const wranglerToml = join(import.meta.dirname, "hono/wrangler.toml");
    const worker = await buildUpload(wranglerToml, folder);
    return startWorkerd({ worker, kv: [] }, folder, port);
  },

  async prepare(): Promise<BenchClient> {
    const none = () => Promise.resolve("none");
    return { tokenPath, credentials: {}, login: none, verify };
  },
};

/** Hono with one route, which reads two records of KV and calls an object, as a refresh does. */
export const honoBound: Contender = {
  name: "Hono with KV and an object",
  version: versionOf("hono"),
  role: "floor",
  about: { ...about, store: "KV and a Durable Object" },

  async start(folder, port) {
    const wranglerToml = join(import.meta.dirname, "hono-bound/wrangler.toml");
    const worker = await buildUpload(wranglerToml, folder);
    return startWorkerd({ worker, kv: ["KV"] }, folder, port);
  },

  async prepare({ url }): Promise<BenchClient> {
    const logIn = () => login(`${url}/bench/login`);
    return { tokenPath, credentials: {}, login: logIn, verify };
  },
};
