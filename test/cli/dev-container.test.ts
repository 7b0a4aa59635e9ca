import { expect, test } from "vitest";
import { freePort } from "../../src/cli/local/wrangler.ts";
import { rawRequest } from "../support/raw-request.ts";
import { run, start, temporaryProject } from "./support.ts";

/** `npm run dev` in a container, which other containers reach by its name. */

test("npm run dev serves plain http to the name of a container in ISSUER, signs users in there, and warns", async () => {
  const directory = temporaryProject();
  const port = await freePort();
  const issuer = `http://baton:${port}`;
  const dev = start(
    "dev",
    [
      ["--port", String(port)],
      ["--ip", "0.0.0.0"],
      ["--var", `ISSUER:${issuer}`, "ACCESS_TOKEN_TTL:PT5M"],
    ].flat(),
    {
      directory,
      env: {
        TMPDIR: `${directory}/tmp`,
        WRANGLER_REGISTRY_PATH: `${directory}/registry`,
      },
    },
  );
  await dev.waitForOutput("--subject alice\n");
  const url = `http://localhost:${port}`;

  /** A request as another container sends it. */
  const send = (line: string, body = "", host = `baton:${port}`) =>
    rawRequest(
      url,
      `${line} HTTP/1.1`,
      `Host: ${host}`,
      "Content-Type: application/x-www-form-urlencoded",
      `Content-Length: ${body.length}`,
      "Connection: close",
      "",
      body,
    );

  for (const name of ["oauth-authorization-server", "openid-configuration"]) {
    const metadata = await send(`GET /.well-known/${name}`);
    expect(metadata.status).toBe(200);
    expect(metadata.body).toContain(`"issuer":"${issuer}"`);
    expect(metadata.body).toContain(`"${issuer}/access_token"`);
  }

  const baton = async (...args: (string | string[])[]) => {
    const all = ["--url", url, "--json", ...args.flat()];
    const outcome = await run("baton", all, { directory });
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    return JSON.parse(outcome.stdout) as Record<string, string>;
  };
  await baton("scopes", "put", "read", "Read");
  const redirectUri = "http://127.0.0.1/callback";
  const client = await baton(
    ["clients", "create", "--public", "--scope", "read"],
    ["--redirect-uri", redirectUri],
  );
  const { client_id = "" } = client;
  const { refresh_token = "" } = await baton([
    "grants",
    "create",
    "--client",
    client_id,
    "--subject",
    "alice",
  ]);
  const refresh = new URLSearchParams({
    grant_type: "refresh_token",
    client_id,
    refresh_token,
  });
  const tokens = await send("POST /access_token", String(refresh));
  expect(tokens.status).toBe(200);
  const [, claims = ""] = /"access_token":"[^.]+\.([^.]+)/.exec(tokens.body)!;
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject(
    { iss: issuer, aud: issuer },
  );

  const query = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: redirectUri,
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
  });
  const authorize = await send(`GET /authorize?${String(query)}`);
  const [, path = ""] =
    /^Location: http:\/\/baton:\d+(\/dev\/login\?\S+)/im.exec(
      authorize.headers,
    ) ?? [];
  expect([authorize.status, path]).toEqual([
    303,
    expect.stringMatching(/^\/dev\/login\?request=/),
  ]);
  const page = await send(`GET ${path}`);
  expect([page.status, page.body]).toEqual([
    200,
    expect.stringContaining("Sign in to"),
  ]);

  for (const host of ["auth.example.com", `other:${port}`, "192.168.1.20"]) {
    const other = await send("POST /access_token", String(refresh), host);
    expect([host, other.status]).toEqual([host, 400]);
    expect(other.body).toContain("plain http");
  }

  dev.child.kill("SIGTERM");
  const { stdout } = await dev.outcome();
  expect(stdout).toContain(
    `Warning: ISSUER is ${issuer}, which is plain http.`,
  );
  expect(stdout).toContain(`Apps send users to ${issuer}/authorize.`);
});

test("npm run dev refuses an ISSUER with plain http to a name that others may own, and says so", async () => {
  const directory = temporaryProject();
  const port = await freePort();
  const dev = start(
    "dev",
    ["--port", String(port), "--var", "ISSUER:http://auth.example.com"],
    {
      directory,
      env: {
        TMPDIR: `${directory}/tmp`,
        WRANGLER_REGISTRY_PATH: `${directory}/registry`,
      },
    },
  );
  await dev.waitForOutput("Baton cannot work with this configuration");
  dev.child.kill("SIGTERM");
  expect((await dev.outcome()).stdout).toContain(
    "  ISSUER must begin with https://",
  );
});
