import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";

/**
 * The floor plus Baton's duties, each in as few lines as possible. It shows what each duty costs, and what is
 * left for Baton's own code. `STEPS` says which duties are done.
 */

interface Bindings {
  FAMILY: DurableObjectNamespace<Family>;
  /** A private JWK for ES256. */
  PRIVATE_KEY: string;
  /** base64 */
  MAC_KEY: string;
  /** The duties to do, separated by commas. */
  STEPS: string;
}

const encoder = new TextEncoder();
const base64url = { alphabet: "base64url", omitPadding: true } as const;
const header = encode({ alg: "ES256", typ: "at+jwt" });
const nothing = new Uint8Array(32);

/** A record of the size of a family's. */
const record = {
  version: 1,
  client_id: "00000000-0000-0000-0000-000000000000",
  client_issued_at: 1_800_000_000,
  subject: "user-1",
  scope: ["read", "write"],
  resource: [],
  secret_hash: nothing,
  created_at: 1_800_000_000,
  expires_at: 1_800_000_000,
  ends_at: 1_800_000_000,
  last_used_at: 1_800_000_000,
  last_origin: { network: 1, user_agent: 1 },
  last_attempt: "00000000-0000-0000-0000-000000000000",
  key_id: 1_000_000_000,
};

/** An argument of the size of what a family must know about an attempt. */
const attempt = {
  attempt_id: "00000000-0000-0000-0000-000000000000",
  client_id: "00000000-0000-0000-0000-000000000000",
  client_issued_at: 1_800_000_000,
  secret_hash: nothing,
  scope: undefined,
  allowed_scope: ["read", "write"],
  resource: [],
  allowed_resource: [],
  now: 1_800_000_000,
  successor_expires_at: 1_800_000_000,
  key_id: 1_000_000_000,
  retry_window: "PT0S",
};

export class Family extends DurableObject<Bindings> {
  /** Stores what a login stores. Otherwise the first exchange would create the database. */
  begin(): void {
    const { kv } = this.ctx.storage;
    if (this.env.STEPS.includes("record"))
      kv.put("family", { ...record, count: 0 });
    else kv.put("count", 0);
  }

  next(number: number): number | undefined {
    const { kv } = this.ctx.storage;
    if (!this.env.STEPS.includes("record")) {
      if (number !== (kv.get<number>("count") ?? 0)) return undefined;
      kv.put("count", number + 1);
    } else {
      const kept = kv.get<typeof record & { count: number }>("family");
      if (number !== (kept?.count ?? 0)) return undefined;
      kv.put("family", { ...(kept ?? record), count: number + 1 });
    }
    return number + 1;
  }

  exchange(asked: typeof attempt & { number: number }): string {
    const { key_id, successor_expires_at: expires_at } = asked;
    return JSON.stringify({
      outcome: "exchanged",
      retried: false,
      subject: "user-1",
      scope: asked.allowed_scope,
      resource: asked.resource,
      generation: this.next(asked.number),
      expires_at,
      key_id,
    });
  }
}

let keys: { mac: CryptoKey; signing: CryptoKey } | undefined;

/** @returns the tokens of an answer, or undefined if the token is not valid */
async function exchange(request: Request, env: Bindings) {
  keys ??= await importKeys(env);
  const steps = env.STEPS;
  const form = new URLSearchParams(await request.text());
  if (steps.includes("client"))
    compare(await digest(bytes(form.get("client_secret") ?? "")));
  const [id = "", mac = "", number = ""] =
    form.get("refresh_token")?.split(".") ?? [];
  const genuine = await crypto.subtle.verify(
    "HMAC",
    keys.mac,
    Uint8Array.fromBase64(mac, base64url),
    bytes(id),
  );
  if (!genuine) return undefined;
  if (steps.includes("secret")) compare(await digest(nothing.subarray(0, 24)));

  const family = env.FAMILY.get(env.FAMILY.idFromString(id));
  const next = steps.includes("attempt")
    ? generationIn(
        await family.exchange({ ...attempt, number: Number(number) }),
      )
    : await family.next(Number(number));
  if (next === undefined) return undefined;

  if (steps.includes("successor"))
    await crypto.subtle.sign("HMAC", keys.mac, bytes(id));
  const iat = Math.floor(Date.now() / 1000);
  const claims = { sub: id, iat, exp: iat + 3600 };
  const more = {
    iss: "https://auth.example",
    aud: "https://auth.example",
    client_id: record.client_id,
    scope: "read write",
    jti: `${id.slice(0, 43)}.0000000000000000000000`,
  };
  const all = steps.includes("claims") ? { ...claims, ...more } : claims;
  const signed = `${header}.${encode(all)}`;
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    keys.signing,
    bytes(signed),
  );
  return {
    token_type: "Bearer",
    expires_in: 3600,
    access_token: `${signed}.${new Uint8Array(signature).toBase64(base64url)}`,
    refresh_token: `${id}.${mac}.${next}`,
  };
}

/** Sets the headers of an answer, except its type and length. */
function addHeaders({ headers }: Response): void {
  headers.set("X-Request-Id", crypto.randomUUID());
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("Cache-Control", "no-store");
  headers.set("Pragma", "no-cache");
  headers.set("Access-Control-Allow-Origin", "*");
  headers.set("Access-Control-Expose-Headers", "Retry-After,X-Request-Id");
  headers.set("Vary", "Origin");
}

/** Writes a log line as long as Baton's. */
function log(): void {
  const line = {
    event: "request",
    request_id: crypto.randomUUID(),
    endpoint: "/access_token",
    method: "POST",
    status: 200,
    grant_type: "refresh_token",
    client_id: record.client_id,
    outcome: "ok",
    duration_ms: performance.now(),
    durations_ms: { client: 0, scopes: 0, family: 1, sign: 0 },
  };
  console.log(JSON.stringify(line));
}

async function answer(request: Request, env: Bindings): Promise<Response> {
  const tokens = await exchange(request, env);
  return tokens ? Response.json(tokens) : new Response(null, { status: 400 });
}

/** An app with as many layers as Baton's routes have. */
const app = new Hono<{ Bindings: Bindings }>();
app.use((_, next) => next());
app.use("/access_token", (_, next) => next());
app.use(bodyLimit({ maxSize: 16_384 }));
app.post("/access_token", (c) => answer(c.req.raw, c.env));

export default {
  async fetch(request, env, context) {
    if (request.url.endsWith("/bench/login")) return logIn(env);
    const steps = env.STEPS;
    const response = steps.includes("hono")
      ? await app.fetch(request, env, context)
      : await answer(request, env);
    if (steps.includes("headers")) addHeaders(response);
    if (steps.includes("log")) log();
    return response;
  },
} satisfies ExportedHandler<Bindings>;

async function logIn(env: Bindings): Promise<Response> {
  keys ??= await importKeys(env);
  const family = env.FAMILY.newUniqueId();
  await env.FAMILY.get(family).begin();
  const id = family.toString();
  const mac = await crypto.subtle.sign("HMAC", keys.mac, bytes(id));
  const refresh_token = `${id}.${new Uint8Array(mac).toBase64(base64url)}.0`;
  return Response.json({ refresh_token });
}

async function importKeys({ PRIVATE_KEY, MAC_KEY }: Bindings) {
  return {
    mac: await crypto.subtle.importKey(
      "raw",
      Uint8Array.fromBase64(MAC_KEY),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign", "verify"],
    ),
    signing: await crypto.subtle.importKey(
      "jwk",
      JSON.parse(PRIVATE_KEY) as JsonWebKey,
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["sign"],
    ),
  };
}

function generationIn(text: string): number | undefined {
  return (JSON.parse(text) as { generation?: number }).generation;
}

/** Compares a digest with a fixed one. Only the time of the comparison matters. */
function compare(digest: ArrayBuffer): boolean {
  return crypto.subtle.timingSafeEqual(new Uint8Array(digest), nothing);
}

function digest(data: Uint8Array): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", data);
}

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function encode(json: object): string {
  return bytes(JSON.stringify(json)).toBase64(base64url);
}
