import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { decodeJwt } from "jose";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { PrebuiltServer } from "./support/prebuilt-server.ts";
import { loadConfiguration, loadSigningKeys } from "../src/config.ts";
import { loginClaimNames } from "../src/oauth/login-claims.ts";
import { bundleOf } from "./support/bundled-baton.ts";
import { signLogoutToken } from "../src/oauth/openid/logout-token.ts";
import { readDocument } from "../src/oauth/self-registration/document.ts";
import { type Block, type Page, parse } from "./support/markdown.ts";
import { notPasted } from "./support/not-pasted.ts";

/** Tests that the commands and examples in the documentation work unchanged, and that what it names exists. */

const root = join(import.meta.dirname, "..");

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** The pages of the documentation, by path. */
const pages = new Map<string, Page>(
  globSync(["README.md", "CONTRIBUTING.md", "docs/*.md"], { cwd: root })
    .toSorted()
    .map((path) => [path, parse(read(path))]),
);

function isListed(path: string, { text }: Block): boolean {
  return notPasted.some(({ page, has }) => page === path && text.includes(has));
}

const taken = new Set<Block>();

/**
 * Returns the blocks of a language below a heading, without those in `notPasted`. The caller pastes each one.
 *
 * @param number the expected number of blocks, so that no block is returned that the caller does not paste
 */
function take(
  path: string,
  heading: string,
  language: string,
  number: number,
): string[] {
  const found = (pages.get(path)?.blocks ?? []).filter(
    (block) =>
      block.heading === heading &&
      block.language === language &&
      !isListed(path, block),
  );
  if (found.length !== number)
    throw new Error(
      `${path} has ${found.length} ${language} blocks below "${heading}", and ${number} are pasted`,
    );
  for (const block of found) taken.add(block);
  return found.map(({ text }) => text);
}

const [setUp = "", refresh = ""] = take("README.md", "One refresh", "sh", 2);

const clientsPage = "docs/clients.md";
const [answer = "{}"] = take(clientsPage, "Get tokens", "json", 1);
const [register = ""] = take(clientsPage, "A sign-in of your own", "sh", 1);
const [app = ""] = take(clientsPage, "A sign-in of your own", "js", 1);

const loginPage = "docs/login.md";
const exampleFolder = "test/login/example";
const workerHeading = "From a Worker of the same account";
const [binding = ""] = take(loginPage, workerHeading, "toml", 1);
const [calls = ""] = take(loginPage, workerHeading, "ts", 1);
const whoHeading = "Say who signed in";
const whoSignedIn = take(loginPage, whoHeading, "ts", 2).join("\n");
const [changeClaims = ""] = take(loginPage, whoHeading, "sh", 1);
const [silentAnswer = ""] = take(loginPage, "Obey `prompt`", "ts", 1);
const backEndHeading = "A back end that signs people in";
const [startLogin = ""] = take(loginPage, backEndHeading, "sh", 1);

const [signOutCalls = ""] = take(loginPage, "Sign-out", "ts", 1);
const strangersHeading = "Apps that register themselves";
const [strangerCalls = ""] = take(loginPage, strangersHeading, "ts", 1);

const openIdPage = "docs/openid-connect.md";
const turnOn = take(openIdPage, "Turn it on", "sh", 3);
const [putTeam = ""] = take(openIdPage, "Scopes and claims", "sh", 1);
const [idTokenContent = "{}"] = take(openIdPage, "The ID token", "json", 1);
const [signOutUri = ""] = take(openIdPage, "Sign-out", "sh", 1);
const backChannelHeading = "Back-channel logout";
const [backChannelUri = ""] = take(openIdPage, backChannelHeading, "sh", 1);
const [logoutToken = "{}"] = take(openIdPage, backChannelHeading, "json", 1);
const [putRsaKey = ""] = take(openIdPage, "Algorithms", "sh", 1);

const possessionPage = "docs/proof-of-possession.md";
const firstKeyHeading = "A first login with a key";
const [makePhone = ""] = take(possessionPage, firstKeyHeading, "sh", 1);
const [phone = ""] = take(possessionPage, firstKeyHeading, "js", 1);
const [makeReports = ""] = take(possessionPage, "private_key_jwt", "sh", 1);
const [reports = ""] = take(possessionPage, "private_key_jwt", "js", 1);
const eachOnceHeading = "Assertions that are good for one request";
const [eachOnce = ""] = take(possessionPage, eachOnceHeading, "sh", 1);

const agentHeading = "For the builder of an agent";
const [agentDocument = "{}"] = take("docs/agents.md", agentHeading, "json", 1);

const tryHeading = "Try it on your machine";
const [openServer = ""] = take("docs/agents.md", tryHeading, "sh", 1);
const [putResource = ""] = take("docs/agents.md", "Resources", "sh", 1);

const resourceServersPage = "docs/resource-servers.md";
const accountHeading = "Baton in the same account";
const resourceBindings = take(resourceServersPage, accountHeading, "toml", 2);
const boundOptions = take(resourceServersPage, accountHeading, "ts", 2);
const [verifier = ""] = take(
  resourceServersPage,
  "Verify an access token",
  "ts",
  1,
);
const introspectionHeading = "Ask about an access token";
const [registerApi = "", introspect = ""] = take(
  resourceServersPage,
  introspectionHeading,
  "sh",
  2,
);

const deploymentPage = "docs/deployment.md";
const [makeKeys = "", makeToken = "", askHealth = "", firstClients = ""] = take(
  deploymentPage,
  "By hand",
  "sh",
  4,
);
const [askAsBot = ""] = take(
  deploymentPage,
  "AI clients are blocked by the zone's bot rules",
  "sh",
  1,
);

const operationsPage = "docs/operations.md";
const rotateSigning = take(operationsPage, "`PRIVATE_KEY`", "sh", 2);
const rotateEncryption = take(operationsPage, "`ENCRYPTION_KEY`", "sh", 2);
const leakedHeading = "A key that has leaked";
const replaceLeaked = take(operationsPage, leakedHeading, "sh", 4);
const [adminTokens = ""] = take(operationsPage, "Admin tokens", "sh", 1);
const [exportAndApply = ""] = take(operationsPage, "Clients as code", "sh", 1);
const [clientsAsCode = ""] = take(operationsPage, "Clients as code", "yaml", 1);
const [accessVariables = ""] = take(
  operationsPage,
  "Cloudflare Access",
  "toml",
  1,
);
const [adminBinding = ""] = take(operationsPage, workerHeading, "toml", 1);
const [adminCall = ""] = take(operationsPage, workerHeading, "ts", 1);

const logPage = "docs/log.md";
const [logLine = "{}"] = take(logPage, "The log", "json", 1);
const [makeWebhookSecret = ""] = take(logPage, "Send events", "sh", 1);

let home: string;
let server: PrebuiltServer;

/** Starts the server with the secrets that docs/deployment.md makes. */
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "baton-docs-"));
  mkdirSync(join(home, "bin"));
  mkdirSync(join(home, "secrets"));
  // A replacement for npx: it saves the input of `wrangler secret put NAME`, forgets it, and does nothing else.
  const npx = join(home, "bin/npx");
  writeFileSync(
    npx,
    `#!/bin/sh
if [ "$1 $2 $3" = "wrangler secret put" ]; then cat > "$HOME/secrets/$4"; fi
if [ "$1 $2 $3" = "wrangler secret delete" ]; then rm "$HOME/secrets/$4"; fi
`,
  );
  chmodSync(npx, 0o755);
  await run(makeKeys + makeToken, {});
  server = await PrebuiltServer.start({
    secrets: {
      PRIVATE_KEY: secret("PRIVATE_KEY"),
      ENCRYPTION_KEY: secret("ENCRYPTION_KEY"),
      ADMIN_TOKEN: secret("ADMIN_TOKEN"),
    },
  });
});

afterAll(async () => {
  await server.stop();
  rmSync(home, { recursive: true });
});

/** The last input of `wrangler secret put NAME`. As in wrangler, white space at its end is removed. */
function secret(name: string): string {
  return readFileSync(join(home, "secrets", name), "utf8").trimEnd();
}

async function run(
  script: string,
  environment: Record<string, string>,
): Promise<string> {
  const { stdout } = await promisify(execFile)(
    "bash",
    ["--norc", "-euo", "pipefail", "-c", script],
    {
      cwd: root,
      env: {
        ...process.env,
        HOME: home,
        PATH: `${join(home, "bin")}:${process.env["PATH"]}`,
        ...environment,
      },
    },
  );
  return stdout;
}

/** Runs a script in a shell in the project's folder, with the server of this test. */
function paste(script: string): Promise<string> {
  const here = script
    .replaceAll("http://localhost:8787", server.url)
    .replaceAll("https://auth.example.com", server.url);
  return run(here, {
    BATON_URL: server.url,
    BATON_ADMIN_TOKEN: server.secrets.ADMIN_TOKEN,
  });
}

async function admin<T>(
  method: string,
  path: string,
  body: object,
): Promise<T> {
  const response = await fetch(`${server.url}/admin${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${server.secrets.ADMIN_TOKEN}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify(body),
  });
  expect(response.ok, await response.clone().text()).toBe(true);
  return (await response.json()) as T;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token?: string;
}

/** Logs alice in at a new client. @returns the first pair of tokens */
async function logIn(): Promise<Tokens> {
  await admin("PUT", "/scopes/read", { description: "Read your notes" });
  const client = { client_name: "Notes", scope: "read" };
  const { client_id } = await admin<{ client_id: string }>(
    "POST",
    "/clients",
    client,
  );
  return admin("POST", "/grants", { client_id, subject: "alice" });
}

/** Makes a folder for files that a reader saves. It is in the project, so that the files find the libraries. */
function folderInTheProject(): string {
  mkdirSync(join(root, ".wrangler"), { recursive: true });
  const folder = mkdtempSync(join(root, ".wrangler/docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The field names of a JSON object and of the objects in it, with the type of each value. */
function namesIn(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return typeof json;
  const entries = Object.entries(json as Record<string, unknown>);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, namesIn(value)]),
  );
}

describe("README.md", () => {
  it("refreshes a token with its commands, and the responses and the log are as the pages show them", async () => {
    const script = [setUp, "echo; echo ANSWERS:", refresh, "echo", refresh];
    const output = await paste(script.join("\n"));
    const [first, second] = (output.split("ANSWERS:\n")[1] ?? "")
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(namesIn(first)).toEqual(namesIn(JSON.parse(answer)));
    expect(second).toMatchObject({ error: "invalid_grant" });

    const line = server.output
      .split("\n")
      .find((text) => text.includes('"reason":"refresh_token_reused"'));
    expect(namesIn(JSON.parse(line ?? "{}"))).toEqual(
      namesIn(JSON.parse(logLine)),
    );
  });

  it("links to every page", () => {
    const { links = [] } = pages.get("README.md") ?? {};
    const missing = [...pages.keys()].filter(
      (path) => path !== "README.md" && !links.includes(path),
    );
    expect(missing).toEqual([]);
  });
});

describe("docs/clients.md", () => {
  it("signs a person in with its example app, refreshes, and signs the person out", async () => {
    await paste(register);
    const file = join(folderInTheProject(), "app.mjs");
    expect(app).toContain('"http://localhost:8787"');
    writeFileSync(file, app.replace("http://localhost:8787", server.url));
    const started = spawn(process.execPath, [file]);
    onTestFinished(() => void started.kill());
    let output = "";
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const ended = once(started, "close");

    const opened = new Promise<string>((resolve) => {
      started.stdout.on("data", () => {
        const url = /^Open (\S+)\n/.exec(output)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    const endedEarly = ended.then(() => Promise.reject(new Error(output)));
    const url = await Promise.race([opened, endedEarly]);
    const page = await fetch(url);
    expect(await page.text()).toContain("Sign in to Notes");
    const request = new URL(page.url).searchParams.get("request") ?? "";
    const body = new URLSearchParams([
      ["request", request],
      ["subject", "alice"],
      ["email", "alice@example.com"],
      ...["openid", "email", "read"].map((scope) => ["scope", scope]),
      ["answer", "allow"],
    ]);
    const signIn = new URL("/dev/login", server.url);
    const answered = await fetch(signIn, { method: "POST", body });
    const signedIn = await answered.text();
    expect(signedIn, output).toContain("Signed in");
    const [said = "", userInfo = "", refreshedTokens = ""] = output
      .split(/^The [\w ]+:/m)
      .slice(1);
    expect(said).toContain("aud: 'notes'");
    expect(said).toMatch(/nonce: '[\w-]+'/);
    for (const text of [said, userInfo]) {
      expect(text).toContain("sub: 'alice'");
      expect(text).toContain("email: 'alice@example.com'");
    }
    const [, refresh_token = ""] =
      /refresh_token: '(baton_rt_[^']+)'/.exec(refreshedTokens) ?? [];

    const [, signOut = ""] = /href="([^"]+)"/.exec(signedIn) ?? [];
    const signedOut = await fetch(signOut);
    expect(await signedOut.text()).toBe("Signed out.");
    expect(await ended).toEqual([0, null]);
    const again = await fetch(`${server.url}/access_token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token,
        client_id: "notes",
      }),
    });
    expect(await again.json()).toMatchObject({ error: "invalid_grant" });
  });
});

describe("docs/proof-of-possession.md", () => {
  it("binds a login to a key with its script, which prints what the page says, and the log names the login", async () => {
    const created = await paste(makePhone);
    const [token = ""] = /baton_rt_[\w-]+/.exec(created) ?? [];
    const file = join(folderInTheProject(), "phone.mjs");
    expect(phone).toContain('"http://localhost:8787/access_token"');
    writeFileSync(file, phone.replace("http://localhost:8787", server.url));
    const { stdout } = await promisify(execFile)(process.execPath, [
      file,
      token,
    ]);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/: DPoP$/),
      expect.stringMatching(/: invalid_dpop_proof$/),
      expect.stringMatching(/: true$/),
    ]);
    const events = server.output.split("\n");
    expect(
      events.find((line) => line.includes('"event":"refresh_token.stolen"')),
    ).toContain('"grant_id":');
  });
});

describe("docs/proof-of-possession.md, private_key_jwt", () => {
  it("makes a key, registers it and gets a token with an assertion", async () => {
    const folder = folderInTheProject();
    const here = (script: string) =>
      script.replaceAll(
        /reports(?=\.(?:private|jwks)\.json)/g,
        join(folder, "reports"),
      );
    await paste(here(makeReports));
    const file = join(folder, "reports.mjs");
    expect(reports).toContain('"http://localhost:8787"');
    writeFileSync(
      file,
      here(reports).replace("http://localhost:8787", server.url),
    );
    const start = () => promisify(execFile)(process.execPath, [file]);
    expect((await start()).stdout.trim()).toBe("bearer");
    expect(await paste(eachOnce)).toMatch(
      /^single_use_client_assertions +true$/m,
    );
    expect((await start()).stdout.trim()).toBe("bearer");
  });
});

describe("docs/openid-connect.md", () => {
  it("turns OpenID Connect on with its commands, and shows an ID token", async () => {
    const output = await paste(turnOn.join("\n"));
    expect(output).toContain("An ID token");
    expect(output).toMatch(/^aud +notes-person$/m);
    expect(output).toMatch(/^sub +alice$/m);
    expect(output).toMatch(/^email +alice@example\.com$/m);
    const metadata = new URL("/.well-known/openid-configuration", server.url);
    expect(await (await fetch(metadata)).json()).toHaveProperty(
      "id_token_signing_alg_values_supported",
    );
  });

  it("puts a scope with its command that releases claims of its own", async () => {
    expect(await paste(putTeam)).toMatch(/^claims +team\n +role$/m);
  });

  it("shows the content of an ID token as the server makes it", async () => {
    for (const scope of ["openid", "email"])
      await admin("PUT", `/scopes/${scope}`, { description: scope });
    const { client_id } = await admin<{ client_id: string }>(
      "POST",
      "/clients",
      { scope: "openid email" },
    );
    const { nonce, ...content } = JSON.parse(idTokenContent) as Record<
      string,
      unknown
    >;
    const { sub, auth_time, acr, amr, sid, email, email_verified } = content;
    const { id_token = "" } = await admin<Tokens>("POST", "/grants", {
      client_id,
      subject: sub,
      auth_time,
      acr,
      amr,
      sid,
      id_token_claims: { email, email_verified },
    });
    // Only a sign-in has a nonce.
    expect(nonce).toEqual(expect.any(String));
    expect(namesIn(decodeJwt(id_token))).toEqual(namesIn(content));
  });

  it("registers the addresses for logout with its commands", async () => {
    const client_id = "signs-out";
    await admin("POST", "/clients", { client_id });
    const commands = signOutUri + backChannelUri;
    await paste(commands.replaceAll("notes-person", client_id));
    const show = `npm run -s baton -- clients show ${client_id} --json`;
    expect(JSON.parse(await paste(show))).toMatchObject({
      post_logout_redirect_uris: ["https://notes.example.com/signed-out"],
      backchannel_logout_uri: "https://notes.example.com/backchannel-logout",
    });
  });

  it("shows the content of a logout token as the server makes it", async () => {
    const content = JSON.parse(logoutToken) as Record<string, unknown>;
    const { iss, aud, sub, sid, iat } = content as Record<string, string>;
    const { signingKeys } = await loadSigningKeys(secretsNow(), now());
    const login = {
      family_id: new Uint8Array(32),
      client_id: aud!,
      subject: sub!,
      sid: sid!,
    };
    const key = signingKeys.use(now());
    const token = await signLogoutToken(key, iss!, login, Number(iat));
    const { jti, ...others } = decodeJwt(token);
    expect({ ...others, jti: content["jti"] }).toEqual(content);
    const form = /^[\w-]{43}\.logout$/;
    expect([jti, content["jti"]]).toEqual([
      expect.stringMatching(form),
      expect.stringMatching(form),
    ]);
  });

  it("sets an RSA key that takes over in an hour", async () => {
    const before = await makerOfSignatures(now());
    await paste(putRsaKey);
    onTestFinished(() => rmSync(join(home, "secrets/PRIVATE_KEY_RS256")));
    expect(await makerOfSignatures(now())).toBe(before);
    const { signingKeys } = await loadSigningKeys(secretsNow(), now());
    expect(signingKeys.makingAt(now() + 2 * HOUR).alg).toBe("RS256");
  });
});

describe("docs/login.md", () => {
  it("binds a sign-in page as test/login/example/ is bound, and calls only methods that exist", () => {
    expect(binding).toContain('entrypoint = "Login"');
    expect(read("test/login/example/wrangler.toml")).toContain(binding);
    const snippets = [
      calls,
      whoSignedIn,
      silentAnswer,
      signOutCalls,
      strangerCalls,
    ].join("\n");
    const methods = [...snippets.matchAll(/env\.BATON\.(\w+)/g)].map(
      ([, method]) => method,
    );
    expect(methods.length).toBeGreaterThan(1);
    const rpc = read("src/rpc/login.ts");
    for (const method of methods) expect(rpc).toContain(`  ${method}(`);
    const [, error] = /error = "(\w+)"/.exec(silentAnswer) ?? [];
    expect(read("src/oauth/authorization/decide.ts")).toContain(`"${error}",`);
  });

  it("has TypeScript that fits the types of src/rpc/types.ts", async () => {
    const folder = folderInTheProject();
    const rpc = JSON.stringify(join(root, "src/rpc/types.ts"));
    const snippets = (pages.get(loginPage)?.blocks ?? []).filter(
      ({ language }) => language === "ts",
    );
    expect(snippets.length).toBeGreaterThan(4);
    for (const [i, { text }] of snippets.entries()) {
      const isModule = text.startsWith("import ");
      const content = isModule
        ? text.replace('"./types.ts"', rpc)
        : `import type * as rpc from ${rpc};
           declare const env: { BATON: rpc.LoginService };
           declare const request: string, grant_id: string;
           declare const signedInAt: number, isAllowed: boolean;
           declare const session: { subject: string; auth_time: number } | undefined;
           declare const asked: rpc.AuthorizationDescription;
           export async function snippet() { ${text} }`;
      writeFileSync(join(folder, `${i}.ts`), content);
    }
    const tsconfig = join(folder, "tsconfig.json");
    writeFileSync(
      tsconfig,
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        // A snippet leaves out what follows it.
        compilerOptions: { noUnusedLocals: false, noImplicitReturns: false },
        include: ["*.ts"],
      }),
    );
    const tsc = join(root, "node_modules/.bin/tsc");
    // On failure the error contains what tsc printed.
    const result = await promisify(execFile)(tsc, ["-p", tsconfig]).catch(
      (error: { stdout: string }) => error,
    );
    expect(result.stdout).toBe("");
  });

  it("has a README beside the example that names every file of it", () => {
    const names = globSync("*", { cwd: join(root, exampleFolder) });
    const { prose } = parse(read(`${exampleFolder}/README.md`));
    const table = prose.split("\n").filter((line) => line.startsWith("| "));
    const named = [...table.join().matchAll(/`([\w-]+\.\w+)`/g)];
    const expected = names.filter((name) => !/^(?:\.|README)/.test(name));
    expect(named.map(([, name = ""]) => name).toSorted()).toEqual(
      expected.toSorted(),
    );
  });

  it("says who signed in with fields that the server takes", () => {
    const fields = [...whoSignedIn.matchAll(/^ {2}(\w+)[:,]/gm)]
      .map(([, field = ""]) => field)
      .filter((field) => !["request", "subject", "grant_id"].includes(field));
    expect(fields).toContain("id_token_claims");
    const known: readonly string[] = loginClaimNames;
    for (const field of fields) expect(known).toContain(field);
  });

  it("starts a login with its command for a back end, and changes what it says about its user", async () => {
    await admin("PUT", "/scopes/read", { description: "Read your notes" });
    await admin("POST", "/clients", { client_id: "web", scope: "read" });
    expect(await paste(startLogin)).toMatch(/refresh_token +baton_rt_/);
    expect(await paste(changeClaims)).toMatch(
      /claims +\{"roles":\["editor"\]\}/,
    );
  });
});

describe("docs/resource-servers.md", () => {
  it("verifies an access token with its example code, which refuses an altered token", async () => {
    expect(verifier).toContain('"https://auth.example.com"');
    const file = join(folderInTheProject(), "verify.ts");
    writeFileSync(
      file,
      verifier.replace("https://auth.example.com", server.url),
    );
    const { verify } = (await import(file)) as {
      verify: (token: string) => Promise<object>;
    };

    const { access_token } = await logIn();
    expect(await verify(access_token)).toMatchObject({
      sub: "alice",
      scope: "read",
    });
    const middle = access_token.length / 2;
    const altered =
      access_token.slice(0, middle) + access_token.slice(middle + 1);
    await expect(verify(altered)).rejects.toThrow(
      /signature verification failed|Invalid/,
    );
  });

  it("introspects an access token with its commands", async () => {
    const output = await paste(`${registerApi}\necho ANSWER:\n${introspect}`);
    expect(JSON.parse(output.split("ANSWER:\n")[1] ?? "{}")).toMatchObject({
      active: true,
      sub: "alice",
      aud: "https://api.example.com",
      token_type: "Bearer",
    });
  });
});

describe("the pages for the owner of an MCP server", () => {
  it("binds Baton as test/mcp/example/ does", () => {
    const settings = read("test/mcp/example/wrangler.toml");
    for (const binding of resourceBindings)
      expect(settings).toContain(binding.trim());
    const server = read("test/mcp/example/index.ts");
    for (const option of boundOptions)
      expect(server).toContain(
        option.trim().replace(/,$/, "").replace("env.", "bindings."),
      );
  });

  it("opens the example MCP server to every agent with its commands", async () => {
    const output = await paste(openServer);
    expect(output).toContain("notes:read notes:write");
    const [, uri = ""] = /RESOURCE = "(.+)"/.exec(
      read("test/mcp/example/wrangler.toml"),
    ) ?? [""];
    for (const put of [output, await paste(putResource)])
      expect(put).toMatch(/self_registered_clients +true/);
    expect(output).toContain(uri);
  });
});

describe("the pages for operators", () => {
  it("checks the server's health and makes scopes and clients with its commands", async () => {
    // The server has the secrets that docs/deployment.md makes.
    expect(JSON.parse(await paste(askHealth))).toMatchObject({ status: "ok" });
    expect(await paste(firstClients)).toMatch(/client_secret +baton_cs_/);
  });

  it("asks with its commands whether a program gets through, as a program that does", async () => {
    const answers = await paste(askAsBot);
    expect(answers.match(/HTTP\/[\d.]+ \d+/g)).toEqual([
      expect.stringContaining("200"),
      expect.stringContaining("401"),
    ]);
    expect(answers.match(/^X-Request-Id: /gim)).toHaveLength(2);
    expect(answers).toContain('"error":"invalid_client"');
  });

  it("rotates PRIVATE_KEY: the new key is published, then signs, and is the only one at the end", async () => {
    await run(makeKeys, {});
    const now = Math.floor(Date.now() / 1000);
    const [old] = (await signingKeysAt(now)).kids;
    const [publish = "", deleteOld = ""] = rotateSigning;
    await run(publish, {});
    const before = await signingKeysAt(now);
    expect(before).toMatchObject({ signs: old, kids: { length: 2 } });
    const [added] = before.kids.filter((kid) => kid !== old);
    const afterAnHour = now + 3660;
    expect((await signingKeysAt(afterAnHour)).signs).toBe(added);
    await run(deleteOld, {});
    const alone = { signs: added, kids: [added] };
    expect(await signingKeysAt(afterAnHour)).toEqual(alone);
  });

  it("rotates ENCRYPTION_KEY: the new key is accepted, then makes tokens, and is the only one at the end", async () => {
    await run(makeKeys, {});
    const now = Math.floor(Date.now() / 1000);
    const [old] = (await tokenKeysAt(now)).kids;
    const [accept = "", deleteOld = ""] = rotateEncryption;
    await run(accept, {});
    const before = await tokenKeysAt(now);
    expect(before).toMatchObject({ makes: old, kids: { length: 2 } });
    const [added] = before.kids.filter((kid) => kid !== old);
    const afterAWhile = now + 960;
    expect((await tokenKeysAt(afterAWhile)).makes).toBe(added);
    await run(deleteOld, {});
    const alone = { makes: added, kids: [added] };
    expect(await tokenKeysAt(afterAWhile)).toEqual(alone);
  });

  describe.each<{ leaked: string; others: Record<string, string> }>([
    { leaked: "", others: {} },
    { leaked: "", others: { _2026_11: `from=${utc(-HOUR)};` } },
    { leaked: "_2026_11", others: { "": "" } },
    { leaked: "", others: { _2027_01: `from=${utc(HOUR)};` } },
  ])("if the secret $leaked leaks beside $others", ({ leaked, others }) => {
    it.each([
      { kind: "PRIVATE_KEY", at: makerOfSignatures, put: 0, remove: 2 },
      { kind: "ENCRYPTION_KEY", at: makerOfTokens, put: 1, remove: 3 },
    ])(
      "replaces $kind by hand: the new key makes at once, also without the old one",
      async ({ kind, at, put, remove }) => {
        forgetSecrets();
        onTestFinished(forgetSecrets);
        await run(makeKeys, {});
        const start = leaked === "" ? "" : `from=${utc(-60)};`;
        for (const [label, from] of Object.entries({
          ...others,
          [leaked]: start,
        }))
          await putKey(kind, `${kind}${label}`, from);
        const before = await at(now());

        await run(replaceLeaked[put] ?? "", {});
        const added = await at(now());
        expect(added).not.toBe(before);
        const deletion = replaceLeaked[remove] ?? "";
        expect(deletion).toMatch(new RegExp(` ${kind}\\n*$`));
        await run(deletion.replace(kind, `${kind}${leaked}`), {});
        expect(await at(now())).toBe(added);
      },
    );
  });

  it("makes with its command a secret that the webhook may have", async () => {
    await run(makeKeys + makeWebhookSecret, {});
    const { settings } = await configuredWith({
      PRIVATE_KEY: secret("PRIVATE_KEY"),
      ENCRYPTION_KEY: secret("ENCRYPTION_KEY"),
      EVENT_WEBHOOK_URL: "https://siem.example.com",
      EVENT_WEBHOOK_SECRET: secret("EVENT_WEBHOOK_SECRET"),
    });
    expect(settings.webhook?.secret).toHaveLength(32);
  });

  it("makes, lists and deletes admin tokens with its commands", async () => {
    const output = await paste(adminTokens);
    expect(output.match(/^token +baton_admin_[\w-]{43}$/gm)).toHaveLength(2);
    expect(output).toMatch(/^alice +operator +baton_admin_/m);
    expect(output).toContain("Ended the admin token alice.");
  });

  it("writes clients to a file, after which there is nothing to apply", async () => {
    const file = join(home, "clients.yaml");
    const output = await paste(exportAndApply.replaceAll("clients.yaml", file));
    expect(output.match(/^There is nothing to do: /gm)).toHaveLength(2);
  });

  it("shows a file of clients that can be applied", async () => {
    const file = join(home, "web.yaml");
    writeFileSync(file, clientsAsCode);
    const apply = `npm run -s baton -- apply ${file} --yes`;
    expect(await paste(apply)).toMatch(/^(Created|Changed) the client web\.$/m);
    expect(await paste(apply)).toMatch(/^There is nothing to do: /);
  });

  it("sets variables of Cloudflare Access that are well formed", async () => {
    const lines = [...accessVariables.matchAll(/^ *([A-Z_]+) = "(.*)"$/gm)];
    const variables = lines.map(([, name, value]) => [name, value]);
    await run(makeKeys, {});
    const { settings } = await configuredWith({
      ...secretsNow(),
      ...Object.fromEntries(variables),
    });
    expect(settings.access).toMatchObject({
      team_domain: "your-team.cloudflareaccess.com",
      roles: new Map([
        ["alice@example.com", "admin"],
        ["*", "read"],
      ]),
    });
  });

  it("binds the entrypoint Admin, and calls it, as test/rpc/ does", () => {
    expect(read("test/rpc/wrangler.toml")).toContain(adminBinding);
    expect(asOneLine(read("test/rpc/index.ts"))).toContain(
      asOneLine(adminCall),
    );
  });

  it("explains every variable and every secret", () => {
    const names = [
      ...read("wrangler.toml").matchAll(/^([A-Z_]+) = /gm),
      ...read(".dev.vars.example").matchAll(/^([A-Z_]+)=/gm),
    ].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(10);
    const { prose = "" } = pages.get(deploymentPage) ?? {};
    const unexplained = names.filter(
      (name) => !new RegExp(`^\\| \`${name}\` +\\|`, "m").test(prose),
    );
    expect(unexplained).toEqual([]);
  });
});

/** All secrets that were put and not deleted. */
function secretsNow(): Record<string, string> {
  const names = readdirSync(join(home, "secrets"));
  return Object.fromEntries(names.map((name) => [name, secret(name)]));
}

const HOUR = 3600;

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** The time that is some seconds away, as a start time is written. */
function utc(seconds: number): string {
  return `${new Date((now() + seconds) * 1000).toISOString().slice(0, 19)}Z`;
}

function forgetSecrets(): void {
  for (const name of readdirSync(join(home, "secrets")))
    rmSync(join(home, "secrets", name));
}

/** Puts a new key of a kind (`PRIVATE_KEY` or `ENCRYPTION_KEY`) under a name. */
async function putKey(kind: string, name: string, from: string): Promise<void> {
  const make = makeKeys.split("\n").find((line) => line.endsWith(` ${kind}`));
  const [generate = ""] = (make ?? "").split(" | ");
  const script = `{ printf '${from}'; ${generate}; } | npx wrangler secret put ${name}`;
  await run(script, {});
}

async function makerOfSignatures(at: number): Promise<string> {
  return (await signingKeysAt(at)).signs;
}

async function makerOfTokens(at: number): Promise<number | string> {
  return (await tokenKeysAt(at)).makes;
}

async function signingKeysAt(now: number) {
  const { jwks, signingKeys } = await loadSigningKeys(secretsNow(), now);
  const kids = jwks.keys.map(({ kid }) => String(kid));
  return { signs: signingKeys.makingAt(now).kid, kids };
}

async function tokenKeysAt(now: number) {
  const loaded = await configuredWith(secretsNow(), now);
  const kids = loaded.tokenKeys.map(({ kid }) => kid);
  return { makes: loaded.tokenKeySchedule.makingAt(now).kid, kids };
}

/** Loads the configuration with the defaults of wrangler.toml. */
function configuredWith(
  secrets: Record<string, string>,
  now = Math.floor(Date.now() / 1000),
) {
  const variables = [
    ...read("wrangler.toml").matchAll(/^([A-Z_]+) = "(.*)"$/gm),
  ].map(([, name = "", value = ""]) => [name, value] as const);
  const env = {
    ...Object.fromEntries(variables),
    ISSUER: "https://auth.example.com",
    ...secrets,
  };
  return loadConfiguration(env, now);
}

it("the metadata document of an agent is one that the server accepts", () => {
  const { client_id } = JSON.parse(agentDocument) as { client_id: string };
  expect(
    readDocument(client_id, agentDocument, "https://auth.example.com"),
  ).toMatchObject({
    client_id,
    client_name: "Example Agent",
    redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"],
  });
});

describe.each([...pages])("%s", (path, { blocks, prose, headings, links }) => {
  const code = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text);
  const text = [prose, ...blocks.map((block) => block.text)].join("\n");

  it("has only blocks that a test pastes, or that are listed here with a reason", () => {
    const unknown = blocks.filter(
      (block) =>
        !notForPasting.includes(block.language) &&
        !taken.has(block) &&
        !isListed(path, block),
    );
    expect(unknown).toEqual([]);
    const stale = notPasted.filter(
      ({ page, has }) =>
        page === path && !blocks.some((block) => block.text.includes(has)),
    );
    expect(stale).toEqual([]);
  });

  it("shows SQL tables as the code makes them", () => {
    const shown = blocks.filter(
      (block) => block.language === "sql" && !isListed(path, block),
    );
    const unknown = shown.filter(
      (block) => !asOneLine(sources()).includes(asOneLine(block.text)),
    );
    expect(unknown).toEqual([]);
  });

  it("links only to files and headings that exist", () => {
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : normalize(join(dirname(path), file));
      if (!existsSync(join(root, target))) return true;
      if (anchor === undefined) return false;
      const targetHeadings =
        file === "" ? headings : parse(read(target)).headings;
      return !targetHeadings.some((heading) => heading.anchor === anchor);
    });
    expect(broken).toEqual([]);
  });

  it("names only scripts and files that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as {
      scripts: Record<string, string>;
    };
    const named = [...text.matchAll(/npm run (?:-s |--silent )?([\w:]+)/g)];
    const unknown = named.filter(([, script = ""]) => !(script in scripts));
    expect(unknown.map(String)).toEqual([]);
    const paths = text.match(/(?<![\w./-])(?:src|test|docs|\.ci)\/[\w./-]*/g);
    const missing = (paths ?? []).filter(
      (file) =>
        !existsSync(join(root, file.replace(/\.$/, ""))) &&
        // A command of the page writes it.
        !file.endsWith("/.dev.vars"),
    );
    expect(missing).toEqual([]);
  });

  it("names only variables that occur in the code or are set on the page", () => {
    const named = text.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [];
    const unknown = named.filter(
      (name) =>
        !new RegExp(`\\b${name}\\b`).test(sources()) &&
        !new RegExp(`\\b(?:${name}=|read -rs? ${name}\\b)`).test(text) &&
        !placeholders.includes(name),
    );
    expect([...new Set(unknown)]).toEqual([]);
  });

  it("names only fields, parameters and reasons that occur in the code", () => {
    const oldServerName = /^(oauth|laravel)_/;
    const named = code.filter(
      (name) => /^[a-z]+(_[a-z]+)+$/.test(name) && !oldServerName.test(name),
    );
    const unknown = named.filter(
      (name) =>
        !new RegExp(`\\b${name}\\b`).test(sources()) &&
        // A shell function that the page defines.
        !text.includes(`${name}() {`),
    );
    expect([...new Set(unknown)]).toEqual([]);
  });

  it("names only commands and options that the command line has", async () => {
    const lines = [
      ...text.matchAll(/npm run (?:-s |--silent )?baton -- ([^\n`|)]*)/g),
    ].map(([, line = ""]) => line);
    const unknown = await Promise.all(
      lines.map(async (line) => {
        const [words = ""] = /^(?:[a-z][a-z-]*(?: |$)){0,2}/.exec(line) ?? [];
        const command = words.trim();
        const help = await helpOf(command);
        const options = line.match(/(?<= )--[a-z][a-z-]*/g) ?? [];
        const fits =
          help.includes(`npm run baton -- ${command}`.trim()) &&
          options.every((option) => help.includes(option));
        return fits ? [] : [line];
      }),
    );
    expect(unknown.flat()).toEqual([]);
  });
});

/** The languages of blocks that nobody pastes. SQL is compared with the code instead. */
const notForPasting = ["", "text", "sql"];

/** SQL without comments, line breaks and `IF NOT EXISTS`. */
function asOneLine(sql: string): string {
  return sql
    .replaceAll(/-- .*$/gm, "")
    .replaceAll(/\s+/g, " ")
    .replaceAll("IF NOT EXISTS ", "")
    .replaceAll(/\( | (?=\))/g, (edge) => edge.trim())
    .trim();
}

/** Names that stand for a value of the reader. */
const placeholders = ["CLIENT_ID", "USER_ID", "GRANT_ID", "LC_ALL"];

/** These files quote the pages, so a name in them proves nothing. */
const aboutThePages = ["test/docs.node.test.ts", "test/support/not-pasted.ts"];

let sourcesRead: string | undefined;

/** The text of the code, the tests and the settings, in which a name may occur. */
function sources(): string {
  sourcesRead ??= [
    "wrangler.toml",
    ".dev.vars.example",
    ...globSync(["src/**/*.{ts,tsx}", "test/**/*.ts"], { cwd: root }).filter(
      (file) => !aboutThePages.includes(file),
    ),
  ]
    .map(read)
    .join("\n");
  return sourcesRead;
}

const helps = new Map<string, Promise<string>>();

/** The help of a command. If the command does not exist, it is the help of its parent. */
function helpOf(command: string): Promise<string> {
  const words = command === "" ? [] : command.split(" ");
  const help =
    helps.get(command) ??
    promisify(execFile)(
      process.execPath,
      [bundleOf(root), ...words, "--help"],
      { cwd: root },
    ).then(({ stdout }) => stdout);
  helps.set(command, help);
  return help;
}
