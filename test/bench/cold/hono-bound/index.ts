import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";

/**
 * Hono with one route, and with the storage of a refresh: two records of KV, read at the same time, and one
 * call of an object that reads a value and writes it. It refuses a token that does not begin with an object's
 * id.
 */

interface Bindings {
  KV: KVNamespace;
  FAMILY: DurableObjectNamespace<Family>;
}

export class Family extends DurableObject {
  /** @returns the number of calls so far */
  next(): number {
    const { kv } = this.ctx.storage;
    const count = (kv.get<number>("count") ?? 0) + 1;
    kv.put("count", count);
    return count;
  }
}

const app = new Hono<{ Bindings: Bindings }>();

app.post("/bench/login", (c) => {
  const refresh_token = c.env.FAMILY.newUniqueId().toString();
  return c.json({ refresh_token });
});

app.post("/access_token", async (c) => {
  const form = new URLSearchParams(await c.req.text());
  const [id = ""] = form.get("refresh_token")?.split(".") ?? [];
  const { KV, FAMILY } = c.env;
  await Promise.all([KV.get("client:bench"), KV.get("scopes")]);
  if (!/^[0-9a-f]{64}$/.test(id))
    return c.json({ error: "invalid_grant" }, 400);
  const count = await FAMILY.get(FAMILY.idFromString(id)).next();
  return c.json({
    token_type: "Bearer",
    expires_in: 3600,
    access_token: "none",
    refresh_token: `${id}.${count}`,
  });
});

export default app;
