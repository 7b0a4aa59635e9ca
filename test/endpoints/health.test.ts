import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { serverWith } from "../support/server.ts";

/** What /health tells, and to whom. */

async function ask(asked: Promise<Response>): Promise<[number, unknown]> {
  const response = await asked;
  return [response.status, await response.json()];
}

describe("/health", () => {
  it("tells the public no more than that something is wrong", async () => {
    const failing = serverWith({ ENCRYPTION_KEY: "x", ISSUER: "" });
    expect(await ask(failing.http("/health"))).toEqual([
      503,
      { status: "failing" },
    ]);
    await env.KV.put("client:broken", "{}");
    expect(await ask(serverWith({}).http("/health"))).toEqual([
      200,
      { status: "degraded" },
    ]);
    await env.KV.delete("client:broken");
  });

  it("names what is wrong for the admin token", async () => {
    const failing = serverWith({ ENCRYPTION_KEY: "x" });
    expect(await ask(failing.health())).toEqual([
      503,
      {
        status: "failing",
        problems: [{ name: "ENCRYPTION_KEY", problem: expect.any(String) }],
      },
    ]);
    await env.KV.put("client:broken", "{}");
    expect(await ask(serverWith({}).health())).toEqual([
      200,
      {
        status: "degraded",
        problems: [{ name: "client:broken", problem: expect.any(String) }],
      },
    ]);
    await env.KV.delete("client:broken");
  });

  it("names nothing for another token, nor while there is no admin token", async () => {
    const hidden = [503, { status: "failing" }];
    const failing = serverWith({ ENCRYPTION_KEY: "x" });
    for (const token of ["wrong", `${env.ADMIN_TOKEN}x`, "undefined"])
      expect(await ask(failing.health(token))).toEqual(hidden);
    for (const ADMIN_TOKEN of [undefined, ""]) {
      const without = serverWith({ ENCRYPTION_KEY: "x", ADMIN_TOKEN });
      for (const token of ["", "undefined", env.ADMIN_TOKEN])
        expect(await ask(without.health(token))).toEqual(hidden);
    }
  });
});
