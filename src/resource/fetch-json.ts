import type { ResourceOptions } from "./options.ts";

/** The largest answer. Ten RSA keys have some 5,000 bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Fetches a JSON object. A redirect is not followed, because it could lead to another server.
 *
 * @throws Error if the answer is not one
 */
export async function fetchJson(
  url: string,
  fetch: NonNullable<ResourceOptions["fetch"]>,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const headers = { Accept: "application/json" };
  const response = await fetch(url, { redirect: "manual", signal, headers });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status}`);
  }
  const value: unknown = JSON.parse(await textOf(response));
  if (typeof value !== "object" || value === null)
    throw new Error(`${url} did not answer with a JSON object`);
  return value as Record<string, unknown>;
}

/** Reads a body. @throws Error if it is too large */
async function textOf({ body, url }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body ?? []) {
    size += (chunk as Uint8Array).byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error(`${url} answered too much`);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}
