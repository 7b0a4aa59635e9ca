import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { OAuth2Client } from "@badgateway/oauth2-client";
import express, { type RequestHandler } from "express";
import session from "express-session";
import type { FastifyInstance } from "fastify";
import type { Hono } from "hono";
import passport, { type Strategy } from "passport";
import { format } from "prettier";
import type { AccessToken } from "simple-oauth2";
import {
  beforeAll,
  describe,
  expect,
  inject,
  it,
  onTestFinished,
  vi,
} from "vitest";
import { parse } from "../support/markdown.ts";
import type { Tokens } from "../support/server.ts";
import { Browser } from "./live/browser.ts";
import { listen } from "./live/listen.ts";
import {
  admin,
  decide,
  ISSUER,
  login,
  makeClient,
  refreshError,
} from "./live/server.ts";
import { alice } from "./person.ts";

/**
 * Runs the examples for libraries and frameworks of docs/clients.md and docs/resource-servers.md as they stand
 * there, with the address of the local server.
 */

const root = join(import.meta.dirname, "../..");
const clientsPage = "docs/clients.md";
const resourceServersPage = "docs/resource-servers.md";

const pages = new Map(
  [clientsPage, resourceServersPage].map((path) => [
    path,
    parse(readFileSync(join(root, path), "utf8")),
  ]),
);

/** The one block of a language below a heading, with the address of the local server. */
function example(path: string, heading: string, language: string): string {
  const found = (pages.get(path)?.blocks ?? []).filter(
    (block) => block.heading === heading && block.language === language,
  );
  const [block] = found;
  if (block === undefined || found.length > 1)
    throw new Error(
      `${path} has ${found.length} ${language} blocks below "${heading}".`,
    );
  const text = block.text
    .replaceAll("http://localhost:8787", ISSUER)
    .replaceAll("https://auth.example.com", ISSUER);
  if (text === block.text && language !== "sh")
    throw new Error(`The example "${heading}" of ${path} names no server.`);
  return text;
}

/** Saves an example as a reader does, and imports it. It is in the project, so that it finds the libraries. */
async function load<T>(path: string, heading: string): Promise<T> {
  mkdirSync(join(root, ".wrangler"), { recursive: true });
  const folder = mkdtempSync(join(root, ".wrangler/docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "example.mjs");
  writeFileSync(file, example(path, heading, "js"));
  return (await import(file)) as T;
}

/** Runs a script in a shell in the project's folder. @returns its standard output */
async function paste(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    "bash",
    ["--norc", "-euo", "pipefail", "-c", script],
    {
      cwd: root,
      env: {
        ...process.env,
        BATON_URL: ISSUER,
        BATON_ADMIN_TOKEN: inject("liveServer").adminToken,
      },
    },
  );
  return stdout;
}

/** The client of the examples, as the page registers it. */
const client = { client_id: "notes-web", client_secret: "" };

beforeAll(async () => {
  const output = await paste(example(clientsPage, "With your library", "sh"));
  const [, secret = ""] = /client_secret +(\S+)/.exec(output) ?? [];
  client.client_secret = secret;
  vi.stubEnv("CLIENT_SECRET", secret);
});

/** Starts an app that signs people in. Its redirect URI is one of those with which the page registers the client. */
async function startApp(app: RequestHandler) {
  const site = await listen(express().use(app));
  onTestFinished(() => site.stop());
  return site;
}

describe("the examples of docs/clients.md", () => {
  it("openid-client: refreshes, reads the user info, and logs out", async () => {
    const { refresh, userInfo, logOut } = await load<{
      refresh: (token: string) => Promise<Tokens>;
      userInfo: (tokens: Tokens) => Promise<object>;
      logOut: (token: string) => Promise<void>;
    }>(clientsPage, "openid-client");
    const { refresh_token } = await login(client, alice());
    const next = await refresh(refresh_token);
    expect(next.scope).toBe("openid profile email read write");
    const person = { sub: "alice", ...alice().id_token_claims };
    expect(await userInfo(next)).toMatchObject(person);
    await logOut(next.refresh_token);
    expect(await refreshError(client, next.refresh_token)).toBe(
      "invalid_grant",
    );
  });

  it("oauth4webapi: refreshes", async () => {
    const { refresh } = await load<{
      refresh: (token: string) => Promise<Tokens>;
    }>(clientsPage, "oauth4webapi");
    const { refresh_token } = await login(client);
    const next = await refresh(refresh_token);
    expect(await refreshError(client, next.refresh_token)).toBeUndefined();
  });

  it("simple-oauth2: signs in with PKCE, refreshes, and revokes all", async () => {
    const { start, finish } = await load<{
      start: () => { url: string; state: string; code_verifier: string };
      finish: (code: string, verifier: string) => Promise<AccessToken>;
    }>(clientsPage, "simple-oauth2");
    const { url, state, code_verifier } = start();
    const stopAt = "http://127.0.0.1:3000";
    const back = await new Browser().signIn(url, { stopAt });
    const answer = new URL(back.url).searchParams;
    expect(answer.get("state")).toBe(state);
    const token = await finish(answer.get("code") ?? "", code_verifier);
    const next = await token.refresh();
    expect(next.token).toMatchObject({ scope: "read write" });
    await next.revokeAll();
    await expect(next.refresh()).rejects.toMatchObject({
      data: { payload: { error: "invalid_grant" } },
    });
  });

  it("@badgateway/oauth2-client: signs in with PKCE, and refreshes", async () => {
    const example = await load<{ client: OAuth2Client }>(
      clientsPage,
      "@badgateway/oauth2-client",
    );
    const { authorizationCode } = example.client;
    const request = {
      redirectUri: "http://127.0.0.1:3000/callback",
      state: "a state",
      codeVerifier: "v".repeat(43),
    };
    const url = await authorizationCode.getAuthorizeUri(request);
    const stopAt = "http://127.0.0.1:3000";
    const back = await new Browser().signIn(url, { stopAt });
    const token = await authorizationCode.getTokenFromCodeRedirect(
      back.url,
      request,
    );
    const next = await example.client.refreshToken(token);
    expect(next.refreshToken).not.toBe(token.refreshToken);
  });

  it("passport-oauth2: signs in with PKCE, and knows who it is", async () => {
    const { strategy } = await load<{ strategy: Strategy }>(
      clientsPage,
      "passport-oauth2",
    );
    const app = express();
    app.use(
      session({
        secret: randomUUID(),
        resave: false,
        saveUninitialized: false,
      }),
    );
    const authenticate = passport.authenticate(strategy, {
      session: false,
    }) as RequestHandler;
    app.get("/sign-in", authenticate);
    app.get("/callback", authenticate, (request, response) => {
      response.json(request.user);
    });
    const site = await startApp(app);
    const page = await new Browser().signIn(`${site.url}/sign-in`);
    const user = JSON.parse(page.text) as { id: string; refreshToken: string };
    expect(user.id).toBe("alice");
    expect(await refreshError(client, user.refreshToken)).toBeUndefined();
  });

  it("passport-openidconnect: signs in, and knows name and e-mail", async () => {
    const { strategy } = await load<{ strategy: Strategy }>(
      clientsPage,
      "passport-openidconnect",
    );
    const app = express();
    const secret = randomUUID();
    app.use(session({ secret, resave: false, saveUninitialized: false }));
    const authenticate = passport.authenticate(strategy, {
      session: false,
    }) as RequestHandler;
    app.get("/sign-in", authenticate);
    app.get("/callback", authenticate, (request, response) => {
      response.json(request.user);
    });
    const site = await startApp(app);
    await admin("PATCH", "/clients/notes-web", { require_pkce: false });
    onTestFinished(async () => {
      await admin("PATCH", "/clients/notes-web", { require_pkce: true });
    });
    const page = await new Browser().signInBy(
      `${site.url}/sign-in`,
      (request) => decide(request, alice()),
    );
    expect(JSON.parse(page.text)).toEqual({
      id: "alice",
      displayName: "Alice Liddell",
      emails: [{ value: "alice@example.com" }],
    });
  });

  it("Auth.js: signs in with PKCE, and has a session of the person", async () => {
    // A name, because the types of Auth.js add those of the DOM, which contradict those of Workers.
    const library: string = "@auth/express";
    const { ExpressAuth } = (await import(library)) as {
      ExpressAuth: (config: object) => RequestHandler;
    };
    const { baton } = await load<{ baton: object }>(clientsPage, "Auth.js");
    const auth = { providers: [baton], secret: randomUUID(), trustHost: true };
    const app = express().use("/auth", ExpressAuth(auth));
    const site = await startApp(app);

    const browser = new Browser();
    const at = (path: string) => browser.open(`${site.url}/auth/${path}`);
    const { text } = await at("csrf");
    const { csrfToken } = JSON.parse(text) as { csrfToken: string };
    const form = [["csrfToken", csrfToken]];
    const asked = await browser.open(`${site.url}/auth/signin/baton`, { form });
    await browser.signInBy(asked.url, (request) => decide(request, alice()));
    const seen = JSON.parse((await at("session")).text) as object;
    expect(seen).toMatchObject({
      user: { name: "Alice Liddell", email: "alice@example.com" },
    });
  });

  it("oidc-client-ts: registers its client, which the test in a browser signs in", async () => {
    const register = example(clientsPage, "oidc-client-ts", "sh");
    expect(await paste(register)).toContain("notes-spa");
    expect(example(clientsPage, "oidc-client-ts", "js")).toContain(
      '"notes-spa"',
    );
  });

  it("AppAuth: the metadata has what its discovery wants, while OpenID Connect is on", async () => {
    const path = "/.well-known/openid-configuration";
    const response = await fetch(ISSUER + path);
    const metadata = (await response.json()) as Record<string, unknown>;
    const members = Object.keys(metadata);
    expect(members).toEqual(
      expect.arrayContaining([
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "end_session_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
      ]),
    );
  });

  it("curl: gets a token for the client itself", async () => {
    const answer = JSON.parse(await paste(example(clientsPage, "curl", "sh")));
    expect(answer).toMatchObject({
      token_type: "Bearer",
      scope: "read write",
    });
  });
});

describe("the examples of docs/resource-servers.md", () => {
  const apis: [string, () => Promise<(token: string) => Promise<Response>>][] =
    [
      ["Express", () => callListening("Express")],
      [
        "Fastify",
        async () => {
          const { app } = await load<{ app: FastifyInstance }>(
            resourceServersPage,
            "Fastify",
          );
          onTestFinished(() => app.close());
          return async (token) => {
            const headers = { Authorization: `Bearer ${token}` };
            const { statusCode, body } = await app.inject({
              url: "/notes",
              headers,
            });
            return new Response(body, { status: statusCode });
          };
        },
      ],
      [
        "Hono",
        async () => {
          const { app } = await load<{ app: Hono }>(
            resourceServersPage,
            "Hono",
          );
          return async (token) => {
            const headers = { Authorization: `Bearer ${token}` };
            return app.request("/notes", { headers });
          };
        },
      ],
    ];

  async function callListening(heading: string) {
    const { app } = await load<{ app: RequestHandler }>(
      resourceServersPage,
      heading,
    );
    const site = await listen(express().use(app));
    onTestFinished(() => site.stop());
    return (token: string, method = "GET") =>
      fetch(`${site.url}/notes`, {
        method,
        headers: { Authorization: `Bearer ${token}` },
      });
  }

  it.each(apis)(
    "%s: takes a good token, and refuses an altered one and one for another API",
    async (_, start) => {
      const call = await start();
      const { access_token } = await login(client);
      const good = await call(access_token);
      expect([good.status, await good.json()]).toEqual([200, { of: "alice" }]);

      const middle = access_token.length / 2;
      const altered =
        access_token.slice(0, middle) + access_token.slice(middle + 1);
      expect((await call(altered)).status).toBe(401);

      const resource = "https://other.example.com";
      const other = await makeClient({ resources: [resource] });
      const elsewhere = await login(other, { resource });
      expect((await call(elsewhere.access_token)).status).toBe(401);
    },
  );

  it("Express: lets an editor write by an app that may write, and nobody else", async () => {
    const call = await callListening("Express");
    const statusFor = async (grant: Record<string, unknown>) => {
      const { access_token } = await login(client, grant);
      return (await call(access_token, "DELETE")).status;
    };
    const claims = { roles: ["editor"] };
    expect(await statusFor({ claims })).toBe(200);
    expect(await statusFor({ claims, scope: "read" })).toBe(403);
    expect(await statusFor({})).toBe(401);
  });
});

describe.each([...pages])("%s", (_, { blocks, prose }) => {
  it("has YAML that can be read", async () => {
    const yaml = blocks.filter(({ language }) => language === "yaml");
    expect(yaml.length).toBeGreaterThan(0);
    for (const { text } of yaml)
      expect(await format(text, { parser: "yaml" })).toBe(text);
  });

  it("names only paths of the server that exist", async () => {
    const all = [prose, ...blocks.map(({ text }) => text)].join("\n");
    const paths = all.matchAll(/https:\/\/auth\.example\.com(\/[\w./-]+)/g);
    const named = [...new Set([...paths].map(([, path = ""]) => path))];
    expect(named.length).toBeGreaterThan(0);
    const answers = await Promise.all(
      named.map(async (path) => {
        const { status } = await fetch(ISSUER + path, { redirect: "manual" });
        return { path, found: status !== 404 };
      }),
    );
    expect(answers.filter(({ found }) => !found)).toEqual([]);
  });
});
