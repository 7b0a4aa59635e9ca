import type { RefreshQuestion } from "../../src/rpc/types.ts";
import { serverWith, type TestServer } from "./server.ts";

/** What a hook does with a question. It may answer anything. */
export type Decide = (question: RefreshQuestion) => unknown;

/** Makes a server with a refresh hook, and the questions that the hook gets. A slow machine is in time. */
export function hookedServer(decide: Decide, bindings: object = {}) {
  const questions: RefreshQuestion[] = [];
  const REFRESH_HOOK = {
    async decideRefresh(question: RefreshQuestion): Promise<unknown> {
      questions.push(question);
      return decide(question);
    },
  };
  const hooked: TestServer = serverWith({
    REFRESH_HOOK,
    REFRESH_HOOK_TIMEOUT: "PT10S",
    ...bindings,
  });
  return { hooked, questions };
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
