import { server } from "../support/server.ts";

/** A `fetch` for client libraries that calls the server under test instead of the network. */
export function fetchFromServer(
  url: string,
  { body, ...init }: { body?: unknown },
): Promise<Response> {
  const { pathname, search } = new URL(url);
  return server.http(pathname + search, {
    ...init,
    ...(body !== undefined &&
      body !== null && { body: body as NonNullable<RequestInit["body"]> }),
  });
}
