import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  freePort,
  localUrl,
  projectDirectory,
} from "../../src/cli/local/wrangler.ts";
import { blocks } from "../support/markdown.ts";
import { Terminals } from "../support/terminals.ts";

/** Tests that a reader of docs/login.md can try the refresh hook on their machine, beside `npm run dev`. */

const page = readFileSync(join(projectDirectory, "docs/login.md"), "utf8");
const part = (language: string) =>
  blocks(page, "Ask at each refresh", language);
const [hook = ""] = part("ts");
const [settings = "", binding = ""] = part("toml");
const [startHook = ""] = part("sh");

let terminals: Terminals;
let url: string;

beforeAll(async () => {
  terminals = new Terminals();
  // In the copy, where npx finds wrangler.
  const folder = join(terminals.project, "hook");
  mkdirSync(folder);
  writeFileSync(join(folder, "index.ts"), hook);
  writeFileSync(join(folder, "wrangler.toml"), settings);
  const types = join(terminals.project, "src/rpc/types.ts");
  copyFileSync(types, join(folder, "types.ts"));
  const port = await freePort();
  await terminals.paste(startHook, await freePort(port), folder);
  uncomment(join(terminals.project, "wrangler.toml"), binding);
  await terminals.paste("npm run dev", port);
  url = localUrl(port);
});

afterAll(() => terminals.stop());

/** Removes the `#` before lines of a file. */
function uncomment(path: string, lines: string): void {
  const text = readFileSync(path, "utf8");
  const commented = lines.trimEnd().replaceAll(/^/gm, "# ");
  expect(text).toContain(commented);
  writeFileSync(path, text.replace(commented, lines));
}

async function admin<T>(path: string, body: object): Promise<T> {
  const { ADMIN_TOKEN } = terminals.secretsIn(".");
  const response = await fetch(`${url}/admin${path}`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${ADMIN_TOKEN}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify(body),
  });
  expect(response.ok, await response.clone().text()).toBe(true);
  return (await response.json()) as T;
}

it("gives a refresh the role that the command has stored", async () => {
  const client = await admin<{ client_id: string; client_secret: string }>(
    "/clients",
    {},
  );
  const { client_id, client_secret } = client;
  const { refresh_token } = await admin<{ refresh_token: string }>("/grants", {
    client_id,
    subject: "alice",
  });
  const response = await fetch(`${url}/access_token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token,
      client_id,
      client_secret,
    }),
  });
  const { access_token } = (await response.json()) as { access_token: string };
  expect(decodeJwt(access_token)["roles"]).toEqual(["editor"]);
});
