import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  globSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../src/cli/local/wrangler.ts";
import { Pair, visit } from "./pair.ts";

/** Tests programs of the MCP project and of others, as npm has them, against Baton and the example MCP server. */

const root = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "baton-mcp-"));
let pair: Pair;

beforeAll(async () => {
  pair = await Pair.start({
    variables: {
      CLIENT_ID_METADATA_DOCUMENTS: "on",
      DYNAMIC_REGISTRATION: "open",
    },
  });
  await pair.openResource();
});

afterAll(async () => {
  await pair.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe("@modelcontextprotocol/conformance", () => {
  it("finds nothing wrong with the authorization server, and warns of nothing", async () => {
    const port = await freePort();
    const callback = `http://127.0.0.1:${port}/callback`;
    await pair.admin("POST", "/clients", {
      client_id: "conformance",
      token_endpoint_auth_method: "none",
      redirect_uris: [callback],
      scope: "notes:read notes:write",
      resources: [pair.mcp],
    });
    const results = join(directory, "results");
    const script = join(
      root,
      "node_modules/@modelcontextprotocol/conformance/dist/index.js",
    );
    const options = [
      ["--url", pair.baton],
      ["--client-id", "conformance"],
      ["--resource", pair.mcp],
      ["--port", String(port)],
      ["--output-dir", results],
    ];
    const tool = spawn(
      process.execPath,
      [script, "authorization", ...options.flat()],
      {
        cwd: directory,
      },
    );
    let output = "";
    let visited: Promise<unknown> | undefined;
    for (const stream of [tool.stdout, tool.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        const [url] = /^http\S+\/authorize\?\S+$/m.exec(output) ?? [];
        // The tool waits for a person with a browser.
        if (url !== undefined)
          visited ??= visit(new URL(url), callback).then((back) => fetch(back));
      });
    const [code] = (await once(tool, "exit")) as [number];
    await visited;
    const checks = globSync(join(results, "**/checks.json"))
      .flatMap(
        (file) =>
          JSON.parse(readFileSync(file, "utf8")) as {
            id: string;
            status: string;
          }[],
      )
      .map(({ id, status }) => `${id}: ${status}`);
    console.log(output, checks);
    expect(code, output).toBe(0);
  });
});

describe("mcp-remote", () => {
  it("connects", async () => {
    const browser = join(directory, "browser.sh");
    writeFileSync(
      browser,
      `#!/bin/sh\nexec '${process.execPath}' -e 'fetch(process.argv[1])' "$1"\n`,
    );
    chmodSync(browser, 0o755);
    const script = join(root, "node_modules/mcp-remote/dist/proxy.js");
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [script, pair.mcp],
      env: {
        PATH: process.env["PATH"] ?? "",
        BROWSER: browser,
        HOME: directory,
        MCP_REMOTE_CONFIG_DIR: join(directory, "auth"),
      },
      stderr: "inherit",
    });
    const client = new Client({ name: "desktop", version: "1.0.0" });
    await client.connect(transport);
    console.log(await client.callTool({ name: "list_notes", arguments: {} }));
    console.log(
      await client
        .callTool({ name: "add_note", arguments: { text: "hello" } })
        .catch(String),
    );
    await client.close();
  });
});
