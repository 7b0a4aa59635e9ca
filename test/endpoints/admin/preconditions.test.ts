import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { ClientRecord } from "../../support/admin.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../../support/server.ts";

/** Tests ETag and If-Match (RFC 9110), and rehearsals by `dry_run`. */

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

function send(
  method: string,
  path: string,
  ifMatch: string,
  body?: object,
): Promise<Response> {
  return server.http(`/admin${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${env.ADMIN_TOKEN}`,
      "If-Match": ifMatch,
      "Content-Type": "application/json",
    },
    ...(body && { body: JSON.stringify(body) }),
  });
}

async function tagOf(path: string): Promise<string> {
  const tag = (await server.admin("GET", path)).headers.get("ETag");
  expect(tag).toMatch(/^"[\w-]{22}"$/);
  return tag!;
}

const stale = [412, "precondition_failed", "admin_precondition_failed"];

describe("the ETag of a client", () => {
  it("is the same until the client changes, and is in the answer to each change", async () => {
    const made = await server.admin("POST", "/clients", { scope: "read" });
    const { client_id } = await made.json<TestClient>();
    const path = `/clients/${client_id}`;
    const first = await tagOf(path);
    expect(made.headers.get("ETag")).toBe(first);
    expect(await tagOf(path)).toBe(first);
    const changed = await server.admin("PATCH", path, { client_name: "N" });
    expect(changed.headers.get("ETag")).toBe(await tagOf(path));
    const rotated = await server.admin("POST", `${path}/secrets`, {});
    expect(rotated.headers.get("ETag")).toBe(await tagOf(path));
    const back = await server.admin("PATCH", path, { client_name: null });
    const tags = [made, changed, rotated, back].map(({ headers }) =>
      headers.get("ETag"),
    );
    expect(new Set(tags).size).toBe(4);
  });

  it.each([
    ["PATCH", "", { client_name: "Mine" }],
    ["DELETE", "", undefined],
    ["POST", "/secrets", {}],
  ] as const)(
    "lets %s %s go on only if it is the current one",
    async (method, below, body) => {
      const { client_id } = await server.makeClient();
      const path = `/clients/${client_id}`;
      const old = await tagOf(path);
      await server.expectAdmin("PATCH", path, { client_name: "Theirs" });
      const before = await server.expectAdmin("GET", path);
      const refused = await send(method, path + below, old, body);
      expect(await refusal(refused)).toEqual(stale);
      expect(await server.expectAdmin("GET", path)).toEqual(before);
      const tag = await tagOf(path);
      expect((await send(method, path + below, tag, body)).ok).toBe(true);
    },
  );

  it("changes with each secret, also twice in the same second", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { client_id } = await server.makeClient();
    const path = `/clients/${client_id}`;
    const tags = [await tagOf(path)];
    const rotation = { old_secret_ttl: "PT0S" };
    for (let n = 0; n < 2; n++) {
      const rotated = await server.admin("POST", `${path}/secrets`, rotation);
      tags.push(rotated.headers.get("ETag")!);
      expect(await tagOf(path)).toBe(tags.at(-1));
    }
    expect(new Set(tags).size).toBe(3);
    for (const old of tags.slice(0, 2))
      for (const [method, below, body] of [
        ["PATCH", "", { client_name: "Mine" }],
        ["POST", "/secrets", rotation],
        ["DELETE", "", undefined],
      ] as const)
        expect(
          await refusal(await send(method, path + below, old, body)),
        ).toEqual(stale);
    const current = await send("POST", `${path}/secrets`, tags[2]!, rotation);
    expect(current.status).toBe(201);
  });

  it("is not made of a secret or its hash, which a reader could guess", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const make = { client_secret: "a-guessable-secret", scope: "read" };
    const { client_id } = await server.makeClient(make);
    const path = `/clients/${client_id}`;
    const first = await tagOf(path);
    const { credentials } = await server.expectAdmin<ClientRecord>("GET", path);
    const key = `client:${client_id}`;
    const stored = JSON.parse((await env.KV.get(key))!) as {
      secrets: { hash: string }[];
    };
    const { hash } = stored.secrets[0]!;
    const { created_at } = (credentials as { created_at: number }[])[0]!;
    expect(credentials).toEqual([{ created_at }]);
    stored.secrets[0]!.hash = hash.replace(/^./, (c) =>
      c === "A" ? "B" : "A",
    );
    await env.KV.put(key, JSON.stringify(stored));
    const answer = await serverWith({}).admin("GET", path);
    expect(answer.headers.get("ETag")).toBe(first);
  });

  it("lets only one of many changes at the same time through", async () => {
    const { client_id } = await server.makeClient();
    const path = `/clients/${client_id}`;
    const tag = await tagOf(path);
    const responses = await Promise.all(
      ["a", "b", "c", "d", "e"].map((client_name) =>
        send("PATCH", path, tag, { client_name }),
      ),
    );
    expect(
      responses.map(({ status }) => status).toSorted((a, b) => a - b),
    ).toEqual([200, 412, 412, 412, 412]);
    const winner = responses.find(({ status }) => status === 200)!;
    const { client_name } = await winner.json<ClientRecord>();
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      client_name,
    });
  });

  it("may be one of several, weak as a compressed answer has it, or a star", async () => {
    const { client_id } = await server.makeClient();
    const path = `/clients/${client_id}`;
    const header = async (text: (tag: string) => string) => {
      const body = { client_name: crypto.randomUUID() };
      const tag = await tagOf(path);
      return (await send("PATCH", path, text(tag), body)).status;
    };
    expect(await header((tag) => `"x", ${tag}`)).toBe(200);
    expect(await header((tag) => `W/${tag}`)).toBe(200);
    expect(await header(() => "*")).toBe(200);
    for (const wrong of ['"x"', "x", ","])
      expect(await header(() => wrong)).toBe(412);
  });

  it("of a client that does not exist is answered with 404", async () => {
    const path = `/clients/${crypto.randomUUID()}`;
    for (const method of ["PATCH", "DELETE"])
      expect(await refusal(await send(method, path, '"x"', {}))).toEqual([
        404,
        "not_found",
        "admin_target_unknown",
      ]);
  });
});

describe("the ETag of the scopes", () => {
  it("lets a change go on only if it is the current one", async () => {
    const old = await tagOf("/scopes");
    await server.makeScopes("later");
    const before = await server.expectAdmin("GET", "/scopes");
    const description = "Mine";
    for (const [method, body] of [
      ["PUT", { description }],
      ["DELETE", undefined],
    ] as const)
      expect(
        await refusal(await send(method, "/scopes/read", old, body)),
      ).toEqual(stale);
    expect(await server.expectAdmin("GET", "/scopes")).toEqual(before);
    const tag = await tagOf("/scopes");
    const put = await send("PUT", "/scopes/mine", tag, { description });
    expect(put.status).toBe(200);
    const next = put.headers.get("ETag")!;
    expect(next).toBe(await tagOf("/scopes"));
    const removed = await send("DELETE", "/scopes/mine", next);
    expect([removed.status, removed.headers.get("ETag")]).toEqual([204, tag]);
  });
});

describe("a rehearsal (dry_run=true)", () => {
  it("of a new client checks every rule, shows the client, and makes nothing", async () => {
    const client_id = crypto.randomUUID();
    const response = await server.admin("POST", "/clients?dry_run=true", {
      client_id,
      redirect_uris: ["myapp://callback"],
    });
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({
      client_id,
      warnings: [expect.stringContaining("myapp://callback")],
    });
    expect(text).not.toContain("client_secret");
    expect((await server.admin("GET", `/clients/${client_id}`)).status).toBe(
      404,
    );
    const taken = await server.makeClient();
    const again = await server.admin("POST", "/clients?dry_run=true", {
      client_id: taken.client_id,
    });
    expect(await refusal(again)).toEqual([409, "conflict", "client_id_taken"]);
  });

  it("of a change checks every rule and If-Match, and changes nothing", async () => {
    const { client_id } = await server.makeClient({ client_name: "Old" });
    const path = `/clients/${client_id}`;
    const before = await server.expectAdmin("GET", path);
    const rehearsed = await server.expectAdmin(
      "PATCH",
      `${path}?dry_run=true`,
      { client_name: "New" },
    );
    expect(rehearsed).toMatchObject({ client_name: "New" });
    const wrong = await server.admin("PATCH", `${path}?dry_run=true`, {
      scope: "nowhere",
    });
    expect(wrong.status).toBe(400);
    const old = await send("PATCH", `${path}?dry_run=true`, '"x"', {});
    expect(await refusal(old)).toEqual(stale);
    expect(await server.expectAdmin("GET", path)).toEqual(before);
  });

  it("takes scopes as known that the caller will make first", async () => {
    const query = "dry_run=true&assume_scopes=future%20other";
    const made = await server.admin("POST", `/clients?${query}`, {
      scope: "read future",
    });
    expect(await made.json()).toMatchObject({ scope: "read future" });
    const real = await server.admin("POST", `/clients?assume_scopes=future`, {
      scope: "future",
    });
    expect(real.status).toBe(400);
  });

  it("of a scope checks its description, and changes nothing", async () => {
    const before = await server.expectAdmin("GET", "/scopes");
    const put = (description: string) =>
      server.admin("PUT", "/scopes/rehearsed?dry_run=true", { description });
    expect((await put("May")).status).toBe(200);
    expect((await put("")).status).toBe(400);
    expect(await server.expectAdmin("GET", "/scopes")).toEqual(before);
  });
});
