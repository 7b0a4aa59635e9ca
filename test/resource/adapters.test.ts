import { Hono } from "hono";
import { cors } from "hono/cors";
import { beforeAll, describe, expect, it } from "vitest";
import { protect } from "../../src/resource/hono.ts";
import {
  type ProtectedResource,
  protectedResource,
} from "../../src/resource/index.ts";
import {
  FakeIssuer,
  ISSUER,
  METADATA_URL,
  requestWith,
  RESOURCE,
} from "./issuer.ts";

/** Tests the two ways to put a handler behind a token: plain fetch handlers, and Hono's middleware. */

let issuer: FakeIssuer;
let reader: string;
let writer: string;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  reader = await issuer.sign();
  writer = await issuer.sign({ scope: "notes:read notes:write" });
});

function resource(more: object = {}): ProtectedResource {
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    scope: "notes:read",
    fetch: issuer.fetch,
    ...more,
  });
}

const preflight = () =>
  new Request(RESOURCE, {
    method: "OPTIONS",
    headers: {
      Origin: "https://agent.example.com",
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization, mcp-protocol-version",
    },
  });

describe("protect, for a fetch handler", () => {
  it("calls the handler with the token and what the Worker gets, and answers for the metadata", async () => {
    const handler = resource().protect(
      async (_request, { sub, scopes }, env: { name: string }, more: number) =>
        Response.json({ sub, scopes, env, more }),
    );
    const call = async (request: Request) =>
      handler(request, { name: "env" }, 42);
    expect(await (await call(requestWith(reader))).json()).toEqual({
      sub: "alice",
      scopes: ["notes:read"],
      env: { name: "env" },
      more: 42,
    });
    expect((await call(requestWith(undefined))).status).toBe(401);
    const metadata = await call(new Request(METADATA_URL));
    expect(await metadata.json()).toHaveProperty("resource", RESOURCE);
  });

  it("asks for the scopes of the request, which a function may read from its body", async () => {
    let read = 0;
    const handler = resource().protect(
      async (request) => new Response(await request.text()),
      async (request) => {
        read++;
        const { method } = await request.json<{ method: string }>();
        return method === "write" ? "notes:write" : "";
      },
    );
    const call = (token: string | undefined, method: string) =>
      handler(
        new Request(requestWith(token), {
          method: "POST",
          body: JSON.stringify({ method }),
        }),
      );
    const good = await call(reader, "read");
    expect([good.status, await good.text()]).toEqual([
      200,
      '{"method":"read"}',
    ]);
    const refused = await call(reader, "write");
    expect(refused.status).toBe(403);
    expect(refused.headers.get("WWW-Authenticate")).toContain(
      'scope="notes:read notes:write"',
    );
    expect((await call(writer, "write")).status).toBe(200);
    read = 0;
    expect((await call(undefined, "write")).status).toBe(401);
    expect((await call("forged", "write")).status).toBe(401);
    expect(read).toBe(0);
  });

  it("asks for fixed scopes at once, also in the 401", async () => {
    const handler = resource().protect(
      () => new Response("written"),
      "notes:write",
    );
    expect((await handler(requestWith(reader))).status).toBe(403);
    expect(await (await handler(requestWith(writer))).text()).toBe("written");
    const challenge = (await handler(requestWith(undefined))).headers.get(
      "WWW-Authenticate",
    );
    expect(challenge).toContain('scope="notes:read notes:write"');
  });

  it("answers pages of any origin with cors, and treats a preflight as a request without it", async () => {
    const open = resource({ cors: true }).protect(() => new Response("notes"));
    const granted = await open(preflight());
    expect([
      granted.status,
      granted.headers.get("Access-Control-Allow-Headers"),
    ]).toEqual([204, "authorization, mcp-protocol-version"]);
    const answer = await open(requestWith(reader));
    expect([
      await answer.text(),
      answer.headers.get("Access-Control-Allow-Origin"),
    ]).toEqual(["notes", "*"]);
    expect(answer.headers.get("Access-Control-Allow-Credentials")).toBeNull();
    const closed = resource().protect(() => new Response("notes"));
    expect((await closed(preflight())).status).toBe(401);
    expect(
      (await closed(requestWith(reader))).headers.get(
        "Access-Control-Allow-Origin",
      ),
    ).toBeNull();
  });
});

describe("protect, for Hono", () => {
  it("sets the token, answers for the metadata, and may stand before a route for further scopes", async () => {
    const notes = resource();
    const app = new Hono()
      .use(protect(notes))
      .get("/notes", (c) => c.json({ of: c.var.token?.sub }))
      .post("/notes", protect(notes, "notes:write"), (c) =>
        c.json({ by: c.var.token.sub }),
      );
    const get = await app.fetch(requestWith(reader));
    expect(await get.json()).toEqual({ of: "alice" });
    expect((await app.fetch(requestWith(undefined))).status).toBe(401);
    const post = (token: string) =>
      app.fetch(new Request(requestWith(token), { method: "POST" }));
    const refused = await post(reader);
    expect(refused.status).toBe(403);
    expect(refused.headers.get("WWW-Authenticate")).toContain(
      'scope="notes:read notes:write"',
    );
    expect(await (await post(writer)).json()).toEqual({ by: "alice" });
    const metadata = await app.fetch(new Request(METADATA_URL));
    expect(await metadata.json()).toHaveProperty("authorization_servers", [
      ISSUER,
    ]);
  });

  it("does not take the token of one resource for that of another", async () => {
    const other = protectedResource({
      resource: "https://api.example.com/admin",
      issuer: ISSUER,
      fetch: issuer.fetch,
    });
    const app = new Hono()
      .use(protect(resource()))
      .get("/admin", protect(other), (c) => c.text("admin"));
    expect((await app.fetch(requestWith(reader, "/admin"))).status).toBe(401);
  });

  it("works behind Hono's middleware for CORS", async () => {
    const app = new Hono()
      .use(cors({ origin: "*", exposeHeaders: ["WWW-Authenticate"] }))
      .use(protect(resource()))
      .post("/notes", (c) => c.text("notes"));
    expect((await app.fetch(preflight())).status).toBe(204);
    const refused = await app.fetch(requestWith(undefined));
    expect([
      refused.status,
      refused.headers.get("Access-Control-Allow-Origin"),
    ]).toEqual([401, "*"]);
  });
});
