import { createApp } from "../app.ts";
import { createServer } from "../create-server.ts";
import { signIn, signInPage } from "./sign-in.tsx";

/**
 * The entry of a local server: the same Worker, and a page where anybody signs in as anybody. `npm run
 * dev` serves it; what is deployed is `src/index.ts`, which has no way to this folder.
 */

export * from "../index.ts";

const app = createApp(createServer, [signInPage, signIn]);

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
