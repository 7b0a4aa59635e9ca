import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { blocks } from "../support/markdown.ts";
import { admin, ISSUER, login, makeClient } from "./live/server.ts";

/** Runs the examples of docs/resource-servers.md for src/resource/ as they stand there, with the local server. */

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/resource-servers.md"), "utf8");
const API = "https://api.example.com/notes";

type Fetch = (request: Request) => Response | Promise<Response>;

/** Saves an example as a reader does, and imports it. It is in the project, so that it finds its libraries. */
async function load(heading: string): Promise<Fetch> {
  mkdirSync(join(root, ".wrangler"), { recursive: true });
  const folder = mkdtempSync(join(root, ".wrangler/docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "example.mjs");
  const [text = ""] = blocks(page, heading, "js");
  expect(text).toContain('"https://auth.example.com"');
  writeFileSync(file, text.replace("https://auth.example.com", ISSUER));
  type Example = { app?: { fetch: Fetch }; default?: { fetch: Fetch } };
  const { app, default: worker } = (await import(file)) as Example;
  const fetch = (app ?? worker)?.fetch;
  if (!fetch) throw new Error(`The example "${heading}" exports no handler.`);
  return fetch;
}

let reader: string;
let writer: string;

beforeAll(async () => {
  const scope = "notes:read notes:write";
  for (const name of scope.split(" "))
    await admin("PUT", `/scopes/${name}`, { description: `May ${name}` });
  const client = await makeClient({ scope, resources: [API] });
  reader = (await login(client, { scope: "notes:read" })).access_token;
  writer = (await login(client, { scope })).access_token;
});

describe.each(["A fetch handler", "Hono in a Worker"])(
  "the example “%s”",
  (heading) => {
    it("takes a good token, refuses others, and says what is missing", async () => {
      const fetch = await load(heading);
      const call = async (method: string, token?: string) => {
        const headers = { Authorization: `Bearer ${token}` };
        const init = { method, ...(token !== undefined && { headers }) };
        const response = await fetch(new Request(API, init));
        const challenge = response.headers.get("WWW-Authenticate");
        return [response.status, challenge ?? (await response.json())];
      };
      expect(await call("GET", reader)).toEqual([200, { of: "alice" }]);
      expect(await call("POST", writer)).toEqual([200, { by: "alice" }]);
      expect(await call("POST", reader)).toEqual([
        403,
        expect.stringContaining('scope="notes:read notes:write"'),
      ]);
      const middle = reader.length / 2;
      const altered = reader.slice(0, middle) + reader.slice(middle + 1);
      const metadata =
        "https://api.example.com/.well-known/oauth-protected-resource/notes";
      for (const token of [undefined, altered])
        expect(await call("GET", token)).toEqual([
          401,
          expect.stringContaining(`resource_metadata="${metadata}"`),
        ]);
      const document = await fetch(new Request(metadata));
      expect(await document.json()).toMatchObject({
        resource: API,
        authorization_servers: [ISSUER],
      });
    });
  },
);
