import { createApp, lazyAdminApp } from "../app.ts";
import {
  Admin as DeployedAdmin,
  Login as DeployedLogin,
  TokenFamily as DeployedTokenFamily,
  Tokens as DeployedTokens,
} from "../index.ts";
import {
  consumeEvents,
  createEarlyServer,
  createServer,
  outlets,
  tellClient,
} from "../create-server.ts";
import type { AuditEvent } from "../oauth/events.ts";
import { clientDocument } from "./client-document.ts";
import { isLocalName } from "./local-name.ts";
import { signIn, signInPage } from "./sign-in.tsx";
import { signOutPage } from "./sign-out.ts";

/**
 * The entry of a local server: the same Worker with a sign-in page on which anybody can sign in as anybody, and with
 * plain http for the name of a container. `npm run dev` serves it. The deployed entry is `src/index.ts`, which does
 * not import this folder.
 */

export * from "../index.ts";

const local = {
  createEarlyServer: (env: Env) => createEarlyServer(env, isLocalName),
  createServer: (env: Env) => createServer(env, isLocalName),
  ...outlets,
};

/*
 * The entrypoints and the Durable Object of the deployed entry, for the configuration of a local server.
 */
export class TokenFamily extends DeployedTokenFamily {
  static override tellClient: typeof DeployedTokenFamily.tellClient = (
    env,
    login,
  ) => tellClient(env, login, isLocalName);
}

export class Login extends DeployedLogin {
  static override createServer = local.createServer;
}

export class Tokens extends DeployedTokens {
  static override createServer = local.createServer;
}

export class Admin extends DeployedAdmin {
  static override fetchAdmin = lazyAdminApp(local);
}

const app = createApp(local, [signInPage, signIn, signOutPage, clientDocument]);

export default {
  fetch: app.fetch,
  queue: (batch, env) =>
    consumeEvents(batch, () => local.createEarlyServer(env)),
} satisfies ExportedHandler<Env, AuditEvent>;
