import { describe, expect, it } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { server } from "../../support/server.ts";

/** Query parameters that an operation does not have. */

interface Document {
  paths: Record<
    string,
    Record<string, { parameters?: { in: string; name: string }[] }>
  >;
}

/** Every operation: its method, a path, and the names of its query parameters. */
async function operations() {
  const { paths } = await server.expectAdmin<Document>("GET", "/openapi.json");
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path: path.replace("/admin", "").replaceAll(/\{\w+\}/g, "x"),
      known: parameters
        .filter((parameter) => parameter.in === "query")
        .map(({ name }) => name),
    })),
  );
}

const unknown = "is not a field of this request";

describe("a query parameter that an operation does not have", () => {
  it("is refused by name, at every operation", async () => {
    const all = await operations();
    expect(all.length).toBeGreaterThan(15);
    for (const { method, path } of all) {
      const query = "?constructor=1&dryrun=true";
      const errors = await fieldErrors(
        await server.admin(method, path + query),
      );
      expect(errors, `${method} ${path}`).toMatchObject({
        constructor: unknown,
        dryrun: unknown,
      });
    }
  });

  it("is dry_run wherever nothing can be rehearsed, and then nothing is changed", async () => {
    const { client_id } = await server.makeClient();
    const path = `/clients/${client_id}`;
    const before = await server.expectAdmin("GET", path);
    const all = await operations();
    const rehearsed = all.filter(({ known }) => known.includes("dry_run"));
    expect(
      rehearsed.map(({ method, path }) => `${method} ${path}`).toSorted(),
    ).toEqual([
      "PATCH /clients/x",
      "POST /clients",
      "PUT /resources/x",
      "PUT /scopes/x",
    ]);
    for (const { method, path: other, known } of all) {
      if (known.includes("dry_run")) continue;
      const target = other.replace("/clients/x", path);
      const response = await server.admin(method, `${target}?dry_run=true`);
      expect(await fieldErrors(response), `${method} ${other}`).toMatchObject({
        dry_run: unknown,
      });
    }
    expect(await server.expectAdmin("GET", path)).toEqual(before);
  });
});
