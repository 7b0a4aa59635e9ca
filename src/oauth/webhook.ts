import { decodeBase64 } from "./bytes.ts";
import type { AuditEvent } from "./events.ts";
import { unwrapSecret } from "./secret-floor.ts";

/**
 * The webhook that gets the events, and how a request to it is signed (Standard Webhooks 1.0,
 * https://www.standardwebhooks.com).
 */

/** Where events are posted to, and the key that signs them. */
export interface Webhook {
  url: string;
  secret: Uint8Array;
}

/** What the specification calls the prefix of a signing key. */
const SECRET_PREFIX = /^whsec_/;
/** Decodes EVENT_WEBHOOK_SECRET. Undefined: it is not base64. */
export function webhookKey(secret: string): Uint8Array | undefined {
  return decodeBase64(unwrapSecret(secret).replace(SECRET_PREFIX, ""));
}

/** Makes the signed request of an event. A request that is sent again has the same id and a new time. */
export async function webhookRequest(
  { url, secret }: Webhook,
  event: AuditEvent,
): Promise<Request> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const body = JSON.stringify(event);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, hmac, false, [
    "sign",
  ]);
  const signed = new TextEncoder().encode(
    `${event.event_id}.${timestamp}.${body}`,
  );
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
  return new Request(url, {
    method: "POST",
    // An answer with a redirect is a failure, because the event would go to somebody else.
    redirect: "manual",
    headers: {
      "Content-Type": "application/json",
      "User-Agent": "Baton",
      "webhook-id": event.event_id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${btoa(String.fromCharCode(...mac))}`,
    },
    body,
  });
}
