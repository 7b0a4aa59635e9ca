import { Buffer } from "node:buffer";
import vectors from "../league/refresh-tokens.json" with { type: "json" };

/** Encrypts as the old server does with its Defuse key. Runs in workerd and on Node. */

const ascii = new TextEncoder();

export function encryptedByDefuse(text: string): Promise<string> {
  return encryptedBy(vectors.keys.defuse.value, text);
}

/** Encrypts in the format of defuse/php-encryption 2, written from its documentation. */
async function encryptedBy(defuseKey: string, text: string): Promise<string> {
  const key = Buffer.from(defuseKey, "hex").subarray(4, 36);
  const salt = crypto.getRandomValues(new Uint8Array(32));
  const counter = crypto.getRandomValues(new Uint8Array(16));
  const root = await crypto.subtle.importKey("raw", key, "HKDF", false, [
    "deriveBits",
  ]);
  const derive = (label: string) =>
    crypto.subtle.deriveBits(
      {
        name: "HKDF",
        hash: "SHA-256",
        salt,
        info: ascii.encode(`DefusePHP|V2|KeyFor${label}`),
      },
      root,
      256,
    );
  const cipher = await crypto.subtle.importKey(
    "raw",
    await derive("Encryption"),
    "AES-CTR",
    false,
    ["encrypt"],
  );
  const encrypted = await crypto.subtle.encrypt(
    { name: "AES-CTR", counter, length: 128 },
    cipher,
    ascii.encode(text),
  );
  const header = Buffer.from("def50200", "hex");
  const body = [header, salt, counter, new Uint8Array(encrypted)];
  const authenticated = new Uint8Array(await new Blob(body).arrayBuffer());
  const mac = await crypto.subtle.sign(
    "HMAC",
    await crypto.subtle.importKey(
      "raw",
      await derive("Authentication"),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    ),
    authenticated,
  );
  return (
    Buffer.from(authenticated).toString("hex") +
    Buffer.from(mac).toString("hex")
  );
}
