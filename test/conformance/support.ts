import { server, type TestServer } from "../support/server.ts";

/** Makes a `fetch` for client libraries that calls a server under test instead of the network. */
export function fetchFrom(to: TestServer) {
  return (
    url: string,
    { body, ...init }: { body?: unknown },
  ): Promise<Response> => {
    const { pathname, search } = new URL(url);
    return to.http(pathname + search, {
      ...init,
      ...(body !== undefined &&
        body !== null && { body: body as NonNullable<RequestInit["body"]> }),
    });
  };
}

export const fetchFromServer = fetchFrom(server);
