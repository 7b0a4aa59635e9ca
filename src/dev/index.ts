import { createApp } from "../app.ts";
import { createServer } from "../create-server.ts";
import { signIn, signInPage } from "./sign-in.tsx";

/**
 * The entry of a local server: the same Worker with a sign-in page on which anybody can sign in as anybody.
 * `npm run dev` serves it. The deployed entry is `src/index.ts`, which does not import this folder.
 */

export * from "../index.ts";

const app = createApp(createServer, [signInPage, signIn]);

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
