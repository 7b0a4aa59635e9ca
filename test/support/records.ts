import { env } from "cloudflare:workers";

/** Changes a client's record in KV directly, to values that no operation of the server would write. */
export async function rewriteClient(
  { client_id }: { client_id: string },
  fields: Record<string, unknown>,
): Promise<void> {
  const key = `client:${client_id}`;
  const record = await env.KV.get<object>(key, "json");
  await env.KV.put(key, JSON.stringify({ ...record, ...fields }));
}
