import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";

/** The usual paths of an installed Chromium or Chrome. */
const usualPlaces = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/**
 * The path of the browser to use: CHROMIUM_PATH, or an installed one; undefined if there is none. Where CI is set
 * there must be one, so that these tests are not skipped unnoticed.
 */
export const chromiumPath = findChromium();

function findChromium(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  if (named === undefined) {
    const installed = usualPlaces.find((path) => existsSync(path));
    if (installed === undefined && process.env["CI"])
      throw new Error(
        "CI is set, and no Chromium was found: install one, or set CHROMIUM_PATH.",
      );
    return installed;
  }
  if (!existsSync(named))
    throw new Error(`CHROMIUM_PATH is ${named}, but that file does not exist.`);
  return named;
}

/** Starts a client's site with two pages: the callback, and one that frames another site. */
export async function startClientSite() {
  const site = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    if (url.pathname === "/callback") {
      response.end(
        "<!doctype html><title>Client</title><link rel=icon href=data:,><h1>Back at the client</h1>",
      );
    } else if (url.pathname === "/framing") {
      const source = (url.searchParams.get("url") ?? "").replaceAll(
        "&",
        "&amp;",
      );
      response.end(
        `<!doctype html><title>Framing</title><iframe src="${source}"></iframe>`,
      );
    } else {
      response.writeHead(404).end();
    }
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
