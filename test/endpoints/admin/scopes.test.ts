import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { type ErrorBody, refusal, server } from "../../support/server.ts";

/** Tests the scope catalogue, `/admin/scopes`. */

describe("the scope catalogue", () => {
  it("can be listed, and its scopes can be added, changed and deleted", async () => {
    const description = "Read your notes";
    const put = await server.admin("PUT", "/scopes/notes:read", {
      description,
    });
    expect([put.status, await put.json()]).toEqual([
      200,
      { scope: "notes:read", description },
    ]);
    await server.expectAdmin("PUT", "/scopes/notes:write", {
      description: "Write",
    });
    await server.expectAdmin("PUT", "/scopes/notes:read", {
      description: "Read",
    });
    expect(await server.expectAdmin("GET", "/scopes")).toEqual({
      scopes: [
        { scope: "notes:read", description: "Read" },
        { scope: "notes:write", description: "Write" },
      ],
    });
    const remove = () => server.admin("DELETE", "/scopes/notes:write");
    expect((await remove()).status).toBe(204);
    expect(await refusal(await remove())).toEqual([
      404,
      "not_found",
      "admin_target_unknown",
    ]);
    expect(await server.expectAdmin("GET", "/scopes")).toEqual({
      scopes: [{ scope: "notes:read", description: "Read" }],
    });
    expect(await env.KV.get("scopes", "json")).toEqual({
      "notes:read": { description: "Read" },
    });
  });

  it.each([
    "https://api.example.com/read",
    "a/b?c#d%",
    "!#$'()*+,-.:;<=>?@[]^_`{|}~",
    "constructor",
  ])("accepts %s, which RFC 6749 allows", async (scope) => {
    await server.makeScopes(scope);
    const client = await server.makeClient({ scope });
    const { refresh_token } = await server.login(client);
    const answer = await server.expectRefresh(client, refresh_token, { scope });
    expect(answer.scope).toBe(scope);
    await server.expectAdmin("DELETE", `/scopes/${encodeURIComponent(scope)}`);
  });

  it.each([
    "two words",
    'quo"te',
    "back\\slash",
    "ümlaut",
    "new\nline",
    "x".repeat(256),
    "__proto__",
  ])("refuses the scope %j", async (scope) => {
    const path = `/scopes/${encodeURIComponent(scope)}`;
    const response = await server.admin("PUT", path, { description: "x" });
    expect(Object.keys(await fieldErrors(response))).toEqual(["scope"]);
  });

  it.each([
    ["description", {}],
    ["description", { description: "" }],
    ["description", { description: "x".repeat(1001) }],
    ["description", { description: null }],
    ["more", { description: "x", more: 1 }],
  ])("refuses an invalid %s (%#) and names the field", async (field, body) => {
    const response = await server.admin("PUT", "/scopes/refused", body);
    expect(await refusal(response.clone())).toEqual([
      400,
      "invalid_request",
      "admin_body_invalid",
    ]);
    expect(
      Object.keys((await response.json<ErrorBody>()).fields ?? {}),
    ).toEqual([field]);
  });

  it("loses no scope when many are added at once", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `parallel${n}`);
    await Promise.all(names.map((name) => server.makeScopes(name)));
    const { scopes } = await server.expectAdmin<{
      scopes: { scope: string }[];
    }>("GET", "/scopes");
    expect(scopes.map(({ scope }) => scope)).toEqual(
      expect.arrayContaining(names),
    );
  });

  it.each(["toString", "constructor", "hasOwnProperty"])(
    "answers 404 for %s, which nobody added",
    async (name) => {
      const response = await server.admin("DELETE", `/scopes/${name}`);
      expect(await refusal(response)).toEqual([
        404,
        "not_found",
        "admin_target_unknown",
      ]);
    },
  );
});
