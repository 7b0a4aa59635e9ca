import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../../src/cli/local/wrangler.ts";
import { rawRequest } from "../support/raw-request.ts";
import { start, temporaryProject } from "./support.ts";

/** `npm run dev`, whose server is reached by plain http. */

async function startDev(change: (wranglerToml: string) => string) {
  const directory = temporaryProject();
  const config = join(directory, "wrangler.toml");
  writeFileSync(config, change(readFileSync(config, "utf8")));
  const port = await freePort();
  const dev = start("dev", ["--port", String(port)], {
    directory,
    env: {
      TMPDIR: join(directory, "tmp"),
      WRANGLER_REGISTRY_PATH: join(directory, "registry"),
    },
  });
  await dev.waitForOutput("--subject alice\n");
  return { ...dev, url: `http://localhost:${port}` };
}

async function tokenStatus(url: string): Promise<number> {
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  const { status } = await fetch(`${url}/access_token`, {
    method: "POST",
    body,
  });
  return status;
}

test("npm run dev serves plain http on this machine, also where wrangler.toml has a route and ALLOWED_HOSTS", async () => {
  const dev = await startDev((config) =>
    [
      'routes = [{ pattern = "auth.example.com", custom_domain = true }]',
      config.replace(
        'ALLOWED_HOSTS = ""',
        'ALLOWED_HOSTS = "auth.example.com"',
      ),
    ].join("\n"),
  );
  expect(await tokenStatus(dev.url)).toBe(401);
  dev.child.kill("SIGTERM");
  await dev.outcome();
});

test("npm run dev serves loopback addresses, and refuses plain http to another host", async () => {
  const dev = await startDev((config) =>
    config.replace(
      'CLIENT_ID_METADATA_DOCUMENTS = ""',
      'CLIENT_ID_METADATA_DOCUMENTS = "on"',
    ),
  );
  expect(await tokenStatus(dev.url)).toBe(401);
  expect(await tokenStatus(dev.url.replace("localhost", "127.0.0.1"))).toBe(
    401,
  );
  // The server reads its own metadata document without the network.
  const query = new URLSearchParams({
    response_type: "code",
    client_id: `${dev.url}/dev/client.json`,
    redirect_uri: "http://127.0.0.1:5555/callback",
  });
  const { status, headers } = await fetch(
    `${dev.url}/authorize?${query.toString()}`,
    {
      redirect: "manual",
    },
  );
  expect(status).toBe(303);
  expect(headers.get("Location")).toMatch(
    /^http:\/\/127\.0\.0\.1:5555\/callback\?error=invalid_request&/,
  );
  const other = await rawRequest(
    dev.url,
    "POST /access_token HTTP/1.1",
    "Host: auth.example.com",
    "Content-Length: 0",
    "Connection: close",
    "",
    "",
  );
  expect(other.status).toBe(400);
  expect(other.body).toContain("plain http");
  dev.child.kill("SIGTERM");
  await dev.outcome();
});
