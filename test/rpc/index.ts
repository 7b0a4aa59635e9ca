// Only types are imported, so that none of Baton's code becomes part of this Worker.
import type {
  AdminService,
  LoginService,
  TokensService,
} from "../../src/rpc/types.ts";

/** A Worker of the same account, with a service binding to each entrypoint of Baton. */
interface Bindings {
  LOGIN: LoginService;
  TOKENS: TokensService;
  ADMIN: AdminService;
  /** `Admin` without props. */
  READER: AdminService;
  /** `Admin` with a role that does not exist. */
  MISTYPED: AdminService;
}

/** Any call, as a Worker in plain JavaScript makes it. */
interface Call {
  binding: keyof Bindings;
  method: string;
  args: unknown[];
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** Makes a typed call for each use, so that the compiler checks the types that this Worker has imported. */
const uses: Record<string, (env: Bindings, text: string) => Promise<unknown>> =
  {
    /** Who has signed in, for a Worker that gets a token. */
    async subject({ TOKENS }, token) {
      const found = await TOKENS.introspect(token);
      if ("error" in found) return found.error_description;
      return found.active ? found.sub : "nobody";
    },
    /** Logs a user out everywhere, for a page where somebody closes their account. */
    async logout(env) {
      const answer = await env.ADMIN.request({
        method: "DELETE",
        path: "/subjects/alice/grants",
      });
      return answer;
    },
    /** Takes the roles from a login, for a page where an administrator of the app does it. */
    async demote({ LOGIN }, grant_id) {
      const update = { grant_id, claims: { roles: [] }, acr: null };
      const grant = await LOGIN.updateGrant(update);
      return "error" in grant ? grant.error_description : grant.claims;
    },
    /** The names of the clients, for a page that lists them. */
    async names({ READER }) {
      const answer = await READER.request<{
        clients: { client_name?: string }[];
      }>({ method: "GET", path: "/clients", query: { limit: 100 } });
      return answer.ok
        ? answer.body.clients.map(({ client_name }) => client_name)
        : answer.body.error;
    },
  };

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const use = new URL(request.url).searchParams.get("use");
    if (use !== null)
      return Response.json(await uses[use]?.(env, await request.text()));
    const { binding, method, args } = await request.json<Call>();
    const target = env[binding] as unknown as Record<string, Method>;
    try {
      return Response.json((await target[method]?.(...args)) ?? null);
    } catch (error) {
      return Response.json({ thrown: String(error) });
    }
  },
};
