import { OAuthError, type Problem } from "../oauth/errors.ts";
import { logEvent } from "../oauth/events.ts";
import { siteOf, within } from "../oauth/guess-limit.ts";
import type { RegistrationQuota } from "../oauth/repositories.ts";
import type { RegistrationCounter } from "./registration-counter.ts";
import { callObject } from "./retry.ts";

/** The period of REGISTRATIONS_PER_NETWORK in wrangler.toml, in seconds. */
const PERIOD_SECONDS = "60";
/** The time that the limit per network may take, in milliseconds. Then the bound of the day must do. */
const LIMIT_WAIT_MS = 1_000;
/** The name of the one counter. */
const COUNTER = "registrations";

const NETWORK_BINDING = "REGISTRATIONS_PER_NETWORK";
const COUNTER_BINDING = "REGISTRATION_COUNTER";
const ADD = "`npm run baton -- setup --update` adds it to wrangler.json";

/** The bindings, which a wrangler.json that was made for an older version does not have. */
interface Bindings {
  [NETWORK_BINDING]?: RateLimit;
  [COUNTER_BINDING]?: DurableObjectNamespace<RegistrationCounter>;
}

/** Limits the registrations of a network by a rate limit, and those of a day by a Durable Object. */
export class BoundRegistrationQuota implements RegistrationQuota {
  readonly #perNetwork: RateLimit | undefined;
  readonly #counter: DurableObjectNamespace<RegistrationCounter> | undefined;

  constructor(bindings: Bindings) {
    this.#perNetwork = bindings[NETWORK_BINDING];
    this.#counter = bindings[COUNTER_BINDING];
  }

  problems(): Problem[] {
    const problems: Problem[] = [];
    if (!this.#counter)
      problems.push({
        name: COUNTER_BINDING,
        problem: `is not bound, so no client can register itself; ${ADD}`,
      });
    if (!this.#perNetwork)
      problems.push({
        name: NETWORK_BINDING,
        problem: `is not bound, so one network may use up the registrations of a day; ${ADD}`,
      });
    return problems;
  }

  async take(network: string, perDay: number): Promise<void> {
    const counter = this.#counter;
    if (!counter)
      throw new OAuthError("registration_not_bound", {
        subject: COUNTER_BINDING,
        problems: this.problems(),
      });
    await this.limitNetwork(network);
    const { retry_after } = await callObject(
      counter,
      COUNTER,
      async (object) => await object.take(perDay),
    );
    if (retry_after !== undefined)
      throw new OAuthError("registrations_used_up", {
        headers: { "Retry-After": String(retry_after) },
      });
  }

  async limitNetwork(network: string): Promise<void> {
    if (!this.#perNetwork || network === "") return;
    // One IPv6 site has enough networks to use up the registrations of a day in a second.
    if (await this.#isBelowLimit(this.#perNetwork, siteOf(network))) return;
    throw new OAuthError("registrations_limited", {
      headers: { "Retry-After": PERIOD_SECONDS },
    });
  }

  async ask(binding: string): Promise<void> {
    if (binding === NETWORK_BINDING)
      await this.#perNetwork?.limit({ key: "doctor" });
    else if (this.#counter)
      await callObject(
        this.#counter,
        COUNTER,
        async (object) => await object.count(),
      );
  }

  async #isBelowLimit(limit: RateLimit, key: string): Promise<boolean> {
    try {
      return (await within(LIMIT_WAIT_MS, limit.limit({ key }))).success;
    } catch (error) {
      logEvent("guess_limit.unreachable", { error: String(error) });
      return true;
    }
  }
}
