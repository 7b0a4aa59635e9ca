import type { RefreshAnswer, RefreshQuestion } from "../../src/rpc/types.ts";
import { server, serverWith, type TestServer } from "./server.ts";

/** What a hook does with a question. It may answer anything. */
export type Decide = (question: RefreshQuestion) => unknown;

/** Makes a server with a refresh hook, and the questions that the hook gets. */
export function hookedServer(decide: Decide, bindings: object = {}) {
  const questions: RefreshQuestion[] = [];
  const REFRESH_HOOK = {
    async decideRefresh(question: RefreshQuestion): Promise<unknown> {
      questions.push(question);
      return decide(question);
    },
  };
  const hooked: TestServer = serverWith({ REFRESH_HOOK, ...bindings });
  return { hooked, questions };
}

/** Starts a login with claims, as a hook has set them. */
export async function loginWithClaims(
  client: { client_id: string; client_secret: string },
  claims: Omit<RefreshAnswer & { allowed: true }, "allowed">,
  grant: Record<string, unknown> = {},
): Promise<string> {
  const { refresh_token } = await server.login(client, grant);
  const { hooked } = hookedServer(() => ({ allowed: true, ...claims }));
  const tokens = await hooked.expectRefresh(client, refresh_token);
  return tokens.refresh_token;
}

/** Reads the claims that a login has, by a hook that is asked about its newest token. */
export async function keptClaims(
  client: { client_id: string; client_secret: string },
  refreshToken: string,
) {
  const { hooked, questions } = hookedServer(() => ({ allowed: true }));
  await hooked.expectRefresh(client, refreshToken);
  const { auth_time, acr, amr, sid, claims, id_token_claims, userinfo } =
    questions[0]!;
  const kept = { auth_time, acr, amr, sid, claims, id_token_claims, userinfo };
  return Object.fromEntries(
    Object.entries(kept).filter(([, value]) => value !== undefined),
  );
}
