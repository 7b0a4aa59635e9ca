import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../src/cli/local/wrangler.ts";
import { Pair, visit } from "./pair.ts";

/** Tests programs as npm has them against Baton and the example MCP server, each as a process of its own. */

const modules = join(import.meta.dirname, "../../node_modules");
const directory = mkdtempSync(join(tmpdir(), "baton-mcp-"));
const inside = (...names: string[]) => join(directory, ...names);
let pair: Pair;

beforeAll(async () => {
  pair = await Pair.start({
    variables: {
      CLIENT_ID_METADATA_DOCUMENTS: "on",
      DYNAMIC_REGISTRATION: "open",
      OFFLINE_ACCESS_REQUIRED: "on",
    },
  });
  await pair.openResource();
});

afterAll(async () => {
  await pair.stop();
  rmSync(directory, { recursive: true, force: true });
});

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}

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
    const script = "@modelcontextprotocol/conformance/dist/index.js";
    const options = [
      ["--url", pair.baton],
      ["--client-id", "conformance"],
      ["--resource", pair.mcp],
      ["--port", String(port)],
      ["--output-dir", inside("results")],
    ];
    const tool = spawn(
      process.execPath,
      [join(modules, script), "authorization", ...options.flat()],
      { cwd: directory },
    );
    let output = "";
    let visited: Promise<Response> | undefined;
    for (const stream of [tool.stdout, tool.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        // The tool waits for a person with a browser.
        const [url] = /^http\S+\/authorize\?\S+$/m.exec(output) ?? [];
        if (url !== undefined)
          visited ??= visit(new URL(url), callback).then((back) => fetch(back));
      });
    const [code] = (await once(tool, "exit")) as [number];
    await visited;
    const checks = globSync(inside("results/**/checks.json"))
      .flatMap((file) => readJson(file) as { id: string; status: string }[])
      .map(({ id, status }) => `${id} ${status}`);
    expect(checks.toSorted(), output).toEqual([
      "authorization-code-grant SUCCESS",
      "authorization-server-metadata SUCCESS",
      "authorization-server-metadata-cimd SUCCESS",
    ]);
    expect(code).toBe(0);
  });
});

describe("mcp-remote", () => {
  /**
   * A browser that goes where it is sent. It is opened and goes on by itself, as every browser does. At a step-up mcp-remote
   * listens for its user only after it has opened the browser, and a program is faster than a person, so it reloads until
   * somebody answers. Both names are tried: that of Linux, and that of macOS.
   */
  beforeAll(() => {
    const page = `
      const ends = Date.now() + 30_000;
      async function go(url) {
        let answer;
        while (!answer) {
          answer = await fetch(url, { redirect: "manual" }).catch((error) => {
            if (Date.now() > ends) throw error;
          });
          if (!answer) await new Promise((resolve) => setTimeout(resolve, 50));
        }
        const next = answer.headers.get("location");
        if (next) await go(new URL(next, url));
      }
      await go(process.argv[2]);
    `;
    writeFileSync(inside("page.mjs"), page);
    const command = `'${process.execPath}' '${inside("page.mjs")}' "$1"`;
    const script = `#!/bin/sh\n${command} >/dev/null 2>&1 &\n`;
    for (const name of ["browser", "open"]) {
      writeFileSync(inside(name), script);
      chmodSync(inside(name), 0o755);
    }
  });

  /** Starts mcp-remote as a desktop program does, which knows nothing of OAuth. */
  async function start() {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [join(modules, "mcp-remote/dist/proxy.js"), pair.mcp],
      env: {
        PATH: `${directory}:${process.env["PATH"]}`,
        BROWSER: inside("browser"),
        HOME: directory,
        MCP_REMOTE_CONFIG_DIR: inside("auth"),
      },
      stderr: "pipe",
    });
    let log = "";
    transport.stderr?.on("data", (text: Buffer) => (log += text.toString()));
    const client = new Client({ name: "desktop", version: "1.0.0" });
    await client.connect(transport).catch((cause: unknown) => {
      throw new Error(log, { cause });
    });
    const call = async (name: string, args: Record<string, unknown> = {}) => {
      const { content } = await client.callTool({ name, arguments: args });
      return (content as { text: string }[])[0]?.text;
    };
    return { call, close: () => client.close() };
  }

  it("registers itself, signs its user in, steps up, and refreshes in a later process without its user", async () => {
    const first = await start();
    expect(await first.call("list_notes")).toBe("[]");
    await first.call("add_note", { text: "Buy milk." });
    await first.close();
    expect(
      pair.shown.map(({ registered_by, scopes }) => [
        registered_by,
        scopes.map(({ scope }) => scope).join(" "),
      ]),
    ).toEqual([
      [undefined, "notes:read notes:write"], // conformance
      // Without offline_access it would get no refresh token here.
      ["dynamic_registration", "notes:read offline_access"],
      ["dynamic_registration", "notes:read offline_access notes:write"],
    ]);

    const [store = ""] = globSync(inside("auth/**/*_tokens.json"));
    const tokens = readJson(store) as { refresh_token: string };
    const old = { ...tokens, access_token: "an.old.token" };
    writeFileSync(store, JSON.stringify(old));
    const second = await start();
    expect(await second.call("list_notes")).toBe('["Buy milk."]');
    await second.close();
    expect(pair.shown).toHaveLength(3);
    const renewed = readJson(store) as typeof tokens;
    expect(renewed.refresh_token).not.toBe(tokens.refresh_token);
  });
});
