/** The CORS headers of an answer to pages of any origin. A bearer token is not sent by a browser on its own. */
export const corsHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "*",
};

/** Tells whether a request asks for leave to send another one (Fetch standard, "CORS-preflight request"). */
export function isPreflight({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.has("Access-Control-Request-Method");
}

/** Grants what a preflight asks for. A wildcard would not include `Authorization`. */
export function preflight({ headers }: Request): Response {
  const asked = (name: string) =>
    headers.get(`Access-Control-Request-${name}`) ?? "";
  return new Response(null, {
    status: 204,
    headers: {
      ...corsHeaders,
      "Access-Control-Allow-Methods": asked("Method"),
      "Access-Control-Allow-Headers": asked("Headers"),
      "Access-Control-Max-Age": "7200",
      Vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
    },
  });
}

/** Copies an answer, and adds the CORS headers. */
export function withCors(response: Response): Response {
  const copy = new Response(response.body, response);
  for (const [name, value] of Object.entries(corsHeaders))
    copy.headers.set(name, value);
  return copy;
}
