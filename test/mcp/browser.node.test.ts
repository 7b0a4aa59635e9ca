import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort, wranglerScript } from "../../src/cli/local/wrangler.ts";
import { chromiumPath } from "../browser/browser.ts";
import { Pair } from "./pair.ts";
import { Site } from "./site.ts";

/** Tests the MCP Inspector, as npm has it, in a real browser. Saves pictures in test/browser/screenshots/. */

const root = join(import.meta.dirname, "../..");
const screenshots = join(root, "test/browser/screenshots");
const directory = mkdtempSync(join(tmpdir(), "baton-inspector-"));

/** The esbuild that bundles the Workers. */
interface Esbuild {
  build: (
    options: Record<string, unknown>,
  ) => Promise<{ outputFiles: { text: string }[] }>;
}

let pair: Pair;
let browser: Browser;
let inspector: { url: string; process: ChildProcess };

describe("an agent in a browser", () => {
  beforeEach(({ skip }) => {
    skip(
      chromiumPath === undefined,
      "No Chromium was found: install one, or set CHROMIUM_PATH.",
    );
  });

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    mkdirSync(screenshots, { recursive: true });
    [pair, browser] = await Promise.all([
      Pair.start({ variables: { DYNAMIC_REGISTRATION: "open" } }),
      chromium.launch({
        executablePath: chromiumPath,
        args: ["--no-sandbox"],
      }),
    ]);
    await pair.openResource();
    inspector = await startInspector();
  });

  afterAll(async () => {
    await Promise.all([
      browser?.close(),
      pair?.stop(),
      inspector && ended(inspector.process),
    ]);
    rmSync(directory, { recursive: true, force: true });
  });

  /** Ends a process, and waits until it has written its last file. */
  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode === null && child.kill()) await once(child, "exit");
  }

  /** Starts the server of the Inspector. Its page is at the URL. */
  async function startInspector() {
    const port = await freePort();
    const script =
      "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";
    const options = ["--web", "--transport", "http", "--server-url", pair.mcp];
    const child = spawn(process.execPath, [join(root, script), ...options], {
      cwd: directory,
      env: {
        ...process.env,
        HOME: directory,
        CLIENT_PORT: String(port),
        MCP_SANDBOX_PORT: String(await freePort(port)),
        MCP_APP_ORIGIN_PORT: "0",
        MCP_AUTO_OPEN_ENABLED: "false",
        MCP_INSPECTOR_SECRET_STORE: "memory",
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let output = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        const [found] =
          /http:\S+\?MCP_INSPECTOR_API_TOKEN=\w+/.exec(output) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once("exit", () =>
        reject(new Error(`The Inspector has ended: ${output}`)),
      );
    });
    return { url, process: child };
  }

  const picture = (page: Page, name: string) =>
    page.screenshot({ path: join(screenshots, `inspector-${name}.png`) });

  /** Opens the page of tools by its tab. It may be open already, and then its heading has the same text. */
  const openTools = (page: Page) =>
    page
      .getByTestId("connection-status")
      .getByText("Tools", { exact: true })
      .click();

  it("as the MCP Inspector registers itself, signs its user in across origins, calls a tool, and steps up for another", async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    // The page would wait for fonts of another site.
    await page.route("https://fonts.googleapis.com/**", (route) =>
      route.abort(),
    );
    await page.goto(inspector.url);
    // By the keyboard: the page hides the switch behind its picture, which moves while the page loads.
    await page.getByRole("switch").press("Space");
    await openTools(page);
    await page.getByRole("button", { name: "list_notes" }).click();
    await page.getByRole("button", { name: "Execute Tool" }).click();
    await page.getByText("[]").first().waitFor();
    await picture(page, "result");
    await page.getByRole("button", { name: "add_note" }).click();
    await page.getByLabel("text").first().fill("Buy milk.");
    await page.getByRole("button", { name: "Execute Tool" }).click();
    // The page says which scope is new, and asks for the union.
    await page.getByText("Additional permissions required").waitFor();
    await picture(page, "step-up");
    await page.getByRole("button", { name: "Authorize" }).click();
    await page.getByText("Authorization complete").waitFor();
    await openTools(page);
    await page.getByRole("button", { name: "add_note" }).click();
    await page.getByLabel("text").first().fill("Buy milk.");
    await page.getByRole("button", { name: "Execute Tool" }).click();
    await page.getByText("Added for alice.").first().waitFor();
    const { origin, host } = new URL(inspector.url);
    expect(
      pair.shown.map(({ scopes, ...shown }) => ({
        ...shown,
        scopes: scopes.map(({ scope }) => scope),
      })),
    ).toMatchObject(
      [["notes:read"], ["notes:read", "notes:write"]].map((scopes) => ({
        client_name: "MCP Inspector",
        registered_by: "dynamic_registration",
        redirect_uri: `${origin}/oauth/callback`,
        redirect_host: host,
        resource: [pair.mcp],
        scopes,
      })),
    );
  });

  it("as a page itself calls Baton and the MCP server across origins", async () => {
    const site = await servePage();
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("console", (message) => problems.push(message.text()));
    await page.goto(`${site.url}/#${pair.mcp}`);
    // Twice: the first sign-in is for what every request needs, the second one for the tool.
    await page.waitForFunction("document.title !== ''");
    expect(await page.title(), problems.join("\n")).toBe("Added for alice.");
    expect(
      pair.shown
        .slice(-2)
        .map(({ client_name, scopes }) => [client_name, scopes.length]),
    ).toEqual([
      ["Agent in a page", 1],
      ["Agent in a page", 2],
    ]);
    await page.close();
    await site.close();
  });
});

/** Serves the agent of `page.ts`, in one file with the library, at an origin of its own. */
async function servePage(): Promise<Site> {
  const { build } = createRequire(wranglerScript)("esbuild") as Esbuild;
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "page.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "error",
  });
  const script = outputFiles[0]?.text ?? "";
  const site = await Site.open();
  site.answer((request, response) => {
    const isScript = request.url === "/page.js";
    const type = isScript ? "text/javascript" : "text/html";
    response.setHeader("Content-Type", `${type}; charset=utf-8`);
    response.end(
      isScript
        ? script
        : '<!doctype html><link rel=icon href=data:,><title></title><script type=module src="/page.js"></script>',
    );
  });
  return site;
}
