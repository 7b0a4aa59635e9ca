import { exports } from "cloudflare:workers";
import type { App } from "./example/app.ts";
import login from "./example/index.tsx";
import { Visitor } from "./visitor.ts";

/** The example login without a server of its own, for tests in the runtime of Workers. */

export const LOGIN = "https://login.example.com";

/** Makes a visitor with a browser of its own. */
export function newVisitor({
  origin = LOGIN,
  ...more
}: { origin?: string; SESSION_SECRET?: string } = {}): Visitor {
  const bindings: App["Bindings"] = {
    BATON: exports.Login,
    ATTEMPTS: { limit: () => Promise.resolve({ success: true }) },
    SESSION_SECRET: "a secret of this test, which is long enough",
    ...more,
  };
  return new Visitor(origin, (request) => login.fetch(request, bindings));
}
