import { DurableObject } from "cloudflare:workers";

/**
 * The floor: the least work that a correct server on this platform does to exchange a token, with nothing
 * of OAuth. It parses the form, checks one MAC, makes one call of a Durable Object that writes one row,
 * signs one JWT, and answers in JSON. It authenticates no client, gives the next token no separate MAC (the
 * MAC does not cover the number), sets no header, writes no log line, and does not validate its input.
 */

interface Bindings {
  COUNTER: DurableObjectNamespace<Counter>;
  /** A private JWK for ES256. */
  PRIVATE_KEY: string;
  /** base64 */
  MAC_KEY: string;
}

const encoder = new TextEncoder();
const base64url = { alphabet: "base64url", omitPadding: true } as const;
const header = encode({ alg: "ES256", typ: "at+jwt" });

export class Counter extends DurableObject {
  start(): void {
    this.ctx.storage.kv.put("count", 0);
  }

  /** @returns the next number, or undefined if `number` is not the current one */
  next(number: number): number | undefined {
    const count = this.ctx.storage.kv.get<number>("count");
    if (count === undefined || number !== count) return undefined;
    this.ctx.storage.kv.put("count", count + 1);
    return count + 1;
  }
}

let keys: { mac: CryptoKey; signing: CryptoKey } | undefined;

export default {
  async fetch(request, env) {
    keys ??= await importKeys(env);
    if (request.url.endsWith("/bench/login")) {
      const unique = env.COUNTER.newUniqueId();
      // Stored at the login, as in all other servers. Otherwise the first exchange would create it.
      await env.COUNTER.get(unique).start();
      const id = unique.toString();
      const mac = await crypto.subtle.sign("HMAC", keys.mac, bytes(id));
      const refresh_token = `${id}.${new Uint8Array(mac).toBase64(base64url)}.0`;
      return Response.json({ refresh_token });
    }

    const form = new URLSearchParams(await request.text());
    const [id = "", mac = "", number = ""] =
      form.get("refresh_token")?.split(".") ?? [];
    const genuine = await crypto.subtle.verify(
      "HMAC",
      keys.mac,
      Uint8Array.fromBase64(mac, base64url),
      bytes(id),
    );
    if (!genuine) return new Response(null, { status: 400 });

    const counter = env.COUNTER.get(env.COUNTER.idFromString(id));
    const next = await counter.next(Number(number));
    if (next === undefined) return new Response(null, { status: 400 });

    const iat = Math.floor(Date.now() / 1000);
    const signed = `${header}.${encode({ sub: id, iat, exp: iat + 3600 })}`;
    const signature = await crypto.subtle.sign(
      { name: "ECDSA", hash: "SHA-256" },
      keys.signing,
      bytes(signed),
    );
    return Response.json({
      token_type: "Bearer",
      expires_in: 3600,
      access_token: `${signed}.${new Uint8Array(signature).toBase64(base64url)}`,
      refresh_token: `${id}.${mac}.${next}`,
    });
  },
} satisfies ExportedHandler<Bindings>;

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

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function encode(json: object): string {
  return bytes(JSON.stringify(json)).toBase64(base64url);
}
