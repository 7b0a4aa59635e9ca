import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");

/** The unmodified files of the npm packages, by the path at which the site serves them. */
const libraries = new Map(
  ["oidc-client-ts/dist/esm/oidc-client-ts.js", "jwt-decode/build/esm/index.js"]
    .map((file) => `/node_modules/${file}`)
    .map((path) => [path, readFileSync(join(root, path), "utf8")]),
);

/** Every page of the app: it signs in for the given scopes, or for the app's. The import map stands in for a bundler. */
const page = `<!doctype html>
<title>Notes</title>
<link rel="icon" href="data:,">
<script type="importmap">
  {
    "imports": {
      "oidc-client-ts": "/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js",
      "jwt-decode": "/node_modules/jwt-decode/build/esm/index.js"
    }
  }
</script>
<script type="module">
  import { users } from "/app.js";
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    const scope = event.target.scope.value || undefined;
    return users.signinRedirect({ scope });
  };
  document.querySelector("button").disabled = false;
</script>
<h1>Notes</h1>
<form>
  <label>Scopes <input name="scope"></label>
  <button disabled>Sign in</button>
</form>
`;

/** Serves a single-page app of one module on a free port: an origin that is not the server's. */
export async function startSinglePageApp(app: string) {
  const scripts = new Map(libraries).set("/app.js", app);
  const site = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
    const script = scripts.get(pathname);
    const type = script === undefined ? "text/html" : "text/javascript";
    response.setHeader("Content-Type", `${type}; charset=utf-8`);
    response.end(script ?? page);
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  const { port } = site.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      site.closeAllConnections();
      site.close();
      await once(site, "close");
    },
  };
}
