import type {
  RefreshDecision,
  RefreshHook,
  RefreshQuestion,
} from "../oauth/refresh-hook.ts";

/** The method of the Worker that is bound. Nothing is sure about its answer. */
interface Bound {
  decideRefresh(question: RefreshQuestion): Promise<unknown>;
}

/**
 * The binding that `wrangler.toml` has in comments, because a deployer may have no such Worker. It is not in the
 * generated `Env`.
 */
interface OptionalBinding {
  REFRESH_HOOK?: Bound;
}

/** Finds the service binding. Undefined: there is none. */
export function refreshHookIn(env: object): Bound | undefined {
  return (env as OptionalBinding).REFRESH_HOOK;
}

/** Asks the Worker that is bound. Every answer that is late or malformed, and every exception, is no decision. */
export class BoundRefreshHook implements RefreshHook {
  readonly #bound: Bound;
  readonly #timeoutMs: number;

  constructor(bound: Bound, timeoutMs: number) {
    this.#bound = bound;
    this.#timeoutMs = timeoutMs;
  }

  async decide(question: RefreshQuestion): Promise<RefreshDecision> {
    const late = Promise.withResolvers<RefreshDecision>();
    const timer = setTimeout(late.resolve, this.#timeoutMs, {
      outcome: "failed",
      reason: "late",
      error: `no answer within ${this.#timeoutMs} ms`,
    });
    // The first result counts, so an answer after the deadline does nothing.
    const decision = await Promise.race([this.#ask(question), late.promise]);
    clearTimeout(timer);
    return decision;
  }

  async #ask(question: RefreshQuestion): Promise<RefreshDecision> {
    try {
      const answer = await this.#bound.decideRefresh(question);
      // Loaded here, because it makes schemas, and most servers have no hook.
      const { readRefreshAnswer } =
        await import("../oauth/openid/refresh-answer.ts");
      const now = Math.floor(Date.now() / 1000);
      return readRefreshAnswer(answer, question, now);
    } catch (error) {
      return { outcome: "failed", reason: "exception", error: nameOf(error) };
    }
  }
}

/** Names an exception for the log. Its message may say something about a person, and the hook's own log has it. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "an exception that is not an Error";
  if (/does not implement (?:the method )?"decideRefresh"/.test(error.message))
    return "the Worker that is bound has no method decideRefresh";
  return /^\w{1,40}$/.test(error.name) && error.name !== "Error"
    ? error.name
    : "the Worker that REFRESH_HOOK binds threw an exception or is not running";
}
