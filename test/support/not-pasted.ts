/** The reason for examples in languages and for programs that no package on npm has. */
const otherProgram =
  "it is for a program that is not here; test/conformance/examples.node.test.ts reads its YAML and asks its addresses";

/** The blocks of the pages that test/docs.node.test.ts does not paste: a part of the text of each, and the reason. */
export const notPasted: { page: string; has: string; why: string }[] = [
  {
    page: "README.md",
    has: "npm ci && npm run demo",
    why: "npm ci would delete the libraries while the tests use them; test/cli/demo.test.ts runs the demo",
  },
  {
    page: "README.md",
    has: "npm ci && npm test",
    why: "this test is a part of npm test",
  },
  {
    page: "README.md",
    has: "npm run dev",
    why: "it does not end; test/cli/dev.test.ts runs it",
  },
  {
    page: "README.md",
    has: "npm ci && npm run baton -- setup",
    why: "it needs an account at Cloudflare; test/cli/setup/ runs it against a stand-in",
  },
  {
    page: "CONTRIBUTING.md",
    has: "npm run check",
    why: "this test is a part of npm run check; the names in it are looked up below",
  },
  {
    page: "docs/login.md",
    has: "npm run dev -- --var LOGIN_URL:",
    why: "test/login/login.node.test.ts pastes it, on free ports",
  },
  {
    page: "docs/login.md",
    has: "npx wrangler dev -c test/login/example/wrangler.toml",
    why: "test/login/login.node.test.ts pastes it, on free ports",
  },
  ...onPage(
    "docs/login.md",
    "test/refresh-hook/refresh-hook.node.test.ts runs it as a second Worker",
    [
      "extends WorkerEntrypoint<{ USERS: KVNamespace }>",
      'name = "my-refresh-hook"',
      'service = "my-refresh-hook"',
    ],
  ),
  ...onPage(
    "docs/login.md",
    "test/refresh-hook/side-by-side.node.test.ts pastes it, on free ports",
    ["npx wrangler dev --port 8789"],
  ),
  ...[
    "npx wrangler deploy",
    "npx wrangler rollback",
    "npm run baton -- setup --dry-run",
    "read -rs BATON_ADMIN_TOKEN",
  ].map((has) => ({
    page: "docs/deployment.md",
    has,
    why: "it needs an account at Cloudflare",
  })),
  {
    page: "docs/deployment.md",
    has: "npm run baton -- setup --update",
    why: "npm ci would delete the libraries while the tests use them; test/cli/setup/settings.test.ts updates settings",
  },
  {
    page: "docs/deployment.md",
    has: "--var ISSUER:http://baton:8787",
    why: "test/cli/dev-container.test.ts runs it, on a free port",
  },
  ...onPage(
    "docs/openid-connect.md",
    "it needs an account at Cloudflare; test/cli/keys/rotate.test.ts rotates to another algorithm",
    ["keys rotate --kind private --alg RS256"],
  ),
  ...onMovingPage("test/moving-from-league.node.test.ts pastes it", [
    "league import-revoked ~/move/gone.ids",
    'league import-clients ~/move/clients.csv --scope "read" --dry-run',
    "http://localhost:8787/access_token",
    "npx wrangler tail",
  ]),
  ...onMovingPage("it needs the old server's program or database", [
    "AccessTokenRepository",
    "mysql --batch",
    "psql laravel",
    "php artisan tinker",
  ]),
  ...onMovingPage("it needs a deployed server and its address", [
    "read -rs BATON_ADMIN_TOKEN",
    "custom_domain = true",
    "curl -si https://app.example.com/oauth/token",
    "npx wrangler secret delete",
  ]),
  ...onMovingPage("the rehearsal has the same commands, and a test pastes it", [
    "league import-revoked ~/move/refresh-tokens.csv",
  ]),
  ...onMovingPage("it changes the reader's .dev.vars", [">> .dev.vars"]),
  ...onPage(
    "docs/proof-of-possession.md",
    "Cloudflare asks for certificates, so it needs a deployed server",
    ["curl --cert client.crt"],
  ),
  ...onPage(
    "docs/proof-of-possession.md",
    "it writes a key into the reader's folder; the certificates of test/support/certificates.ts were made like this",
    ["openssl req -x509"],
  ),
  ...onPage(
    "docs/clients.md",
    "test/conformance/examples.node.test.ts runs it",
    [
      "clients create --id notes-web",
      "client.tokenRevocation(",
      "oauth.processRefreshTokenResponse(",
      "new AuthorizationCode(",
      "new OAuth2Client(",
      "new OAuth2Strategy(",
      "new OpenIDConnectStrategy(",
      'type: "oidc"',
      "clients create --id notes-spa",
      "clients create --id notes-job",
    ],
  ),
  ...onPage(
    "docs/clients.md",
    "test/conformance/oidc-client-ts.node.test.ts and oidc-client-ts-openid.node.test.ts run it in a browser",
    ["new UserManager("],
  ),
  ...onPage(
    "docs/clients.md",
    "Better Auth is not among the packages of the project; it was tried by hand",
    ["genericOAuth("],
  ),
  ...onPage("docs/clients.md", otherProgram, [
    "AuthorizationServiceConfiguration(",
    "OIDServiceConfiguration(",
    "issuer-uri:",
    "JwtDecoderFactory<ClientRegistration>",
    "AddOpenIdConnect(",
  ]),
  ...onPage(
    "docs/resource-servers.md",
    "test/conformance/examples.node.test.ts runs it",
    ["requiredScopes(", "buildGetJwks(", "jwk({"],
  ),
  ...onPage(
    "docs/agents.md",
    "test/conformance/agents-page.node.test.ts runs it in several processes",
    ["export async function accessToken("],
  ),
  ...onPage(
    "docs/resource-servers.md",
    "test/conformance/resource-examples.node.test.ts runs it",
    [
      "notes.protect(",
      "app.use(protect(notes))",
      "app.use(protect(payments))",
      "EmbeddedJWK",
    ],
  ),
  ...onPage("docs/resource-servers.md", otherProgram, [
    "JwtDecoder jwtDecoder()",
    "opaquetoken:",
    "AddJwtBearer(",
    "auth_jwt_key_request",
    "envoy.filters.http.jwt_authn",
    "kind: RequestAuthentication",
  ]),
  ...onPage(
    "docs/agents.md",
    "test/mcp/ starts the same Workers in one runtime, and the Inspector",
    ["npm run dev -- --var CLIENT_ID", "npx wrangler dev -c", "mcp-inspector"],
  ),
  ...onPage("docs/incidents.md", "test/incidents/ types it", [
    "npm run",
    "wrangler secret put ADMIN_TOKEN",
  ]),
  ...onPage("docs/incidents.md", "it shows the log of a deployed server", [
    "wrangler tail",
  ]),
  ...onPage("docs/metrics.md", "test/events/queries.node.test.ts runs it", [
    "FROM baton",
  ]),
  ...onPage("docs/log.md", "it needs an account at Cloudflare", [
    "wrangler queues create",
  ]),
  ...onPage("docs/metrics.md", "it asks Cloudflare, and needs an account", [
    "analytics_engine/sql",
  ]),
];

function onMovingPage(why: string, parts: string[]) {
  return onPage("docs/moving-from-league.md", why, parts);
}

function onPage(page: string, why: string, parts: string[]) {
  return parts.map((has) => ({ page, has, why }));
}
