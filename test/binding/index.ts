/** A Worker that calls Baton by a service binding, as a back end of the same account may. */
export default {
  async fetch(request: Request, env: { BATON: Fetcher }): Promise<Response> {
    const url = request.headers.get("Call") ?? "";
    // As a gateway does: another URL, and everything else as it came.
    return env.BATON.fetch(new Request(url, request));
  },
};
