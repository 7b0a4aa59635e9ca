import * as v from "valibot";
import { OAuthError } from "../../oauth/errors.ts";
import type { Server } from "../../oauth/server.ts";
import {
  NoDecision,
  playCanaryFamily,
  playCanaryQuestion,
  playCanarySignature,
} from "../../oauth/tokens/canary.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, count, json, named } from "./api.ts";

/** The time that one check may take, in milliseconds: more than any of them needs, and less than a caller waits. */
const MAX_WAIT_MS = 15_000;
/** The most characters of a problem. */
const MAX_CHARACTERS = 200;

type Checks = Record<string, (server: Server) => Promise<unknown>>;

/** What is checked: the binding, secret, variable or record, and the calls that show whether it works. */
const checks: Checks = {
  KV: ({ clients }) => clients.list({ limit: 1 }),
  KV_RECORD_WRITER: ({ scopes }) => scopes.read(),
  TOKEN_FAMILY: (server) => playCanaryFamily(server, now()),
  SUBJECT_INDEX: ({ families }) =>
    families.ofSubject(`baton doctor ${crypto.randomUUID()}`, now(), 1),
  LEAGUE_LEDGER: ({ takeover }) => takeover.countOf([crypto.randomUUID()]),
  async ASSERTION_LEDGER({ usedAssertions }) {
    const assertions = await usedAssertions();
    const [missing] = assertions.problems();
    if (missing) throw new NoDecision(missing.problem);
    await assertions.ask();
  },
  PRIVATE_KEY: (server) => playCanarySignature(server, now()),
  GUESSES_PER_NETWORK: ({ guesses }) => guesses.ask("perNetwork"),
  GUESSES_PER_SITE: ({ guesses }) => guesses.ask("perSite"),
};

/** What only dynamic registration needs. */
const checksOfRegistration: Checks = Object.fromEntries(
  ["REGISTRATIONS_PER_NETWORK", "REGISTRATION_COUNTER"].map((binding) => [
    binding,
    async ({ registrationQuota }) => {
      const quota = await registrationQuota();
      const missing = quota.problems().find(({ name }) => name === binding);
      if (missing) throw new NoDecision(missing.problem);
      await quota.ask(binding);
    },
  ]),
);

/** What clients that register themselves need, beside a way to do so. */
const checksOfSelfRegistration: Checks = {
  async LOGIN_URL({ settings }) {
    if (settings.login_url === undefined)
      throw new NoDecision(
        "is empty, so no client that registers itself can sign anybody in",
      );
  },
  async resources({ resources }) {
    const entries = Object.values(await resources.read());
    if (!entries.some(({ self_registered_clients: isOpen }) => isOpen))
      throw new NoDecision(
        "has nothing that is open to clients that register themselves: PUT /admin/resources/{resource} with self_registered_clients true opens one",
      );
  },
};

/** Adds the checks of what only some servers have. */
function checksOf({ refreshHook, settings }: Server): Checks {
  return {
    ...checks,
    ...(refreshHook && {
      REFRESH_HOOK: () => playCanaryQuestion(refreshHook, now()),
    }),
    ...(settings.dynamic_registration && checksOfRegistration),
    ...((settings.dynamic_registration ?? settings.metadata_documents) &&
      checksOfSelfRegistration),
  };
}

const result = named(
  "DoctorCheck",
  v.object({
    name: v.pipe(
      v.string(),
      v.description(
        "The binding, or the secret, variable or record, that was tried.",
      ),
    ),
    duration_ms: count("How long it took. The clock stands still between I/O."),
    problem: v.optional(
      v.pipe(v.string(), v.description("Left out: it works.")),
    ),
  }),
);

type CheckResult = v.InferOutput<typeof result>;

/** `/admin/doctor`: the server tries everything that it needs. Nothing of it stays. */
export function doctorRoutes(api: AdminApi): void {
  api.add(
    {
      method: "post",
      path: "/doctor",
      summary:
        "Try KV, every Durable Object class, the rate limits, the signing key and the refresh hook, and look for what clients that register themselves need",
      responses: {
        200: json(
          v.object({ checks: v.array(result) }),
          "What was tried. A family is begun, exchanged and ended for it; nothing stays.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const results = await Promise.all(
        Object.entries(checksOf(server)).map(([name, check]) =>
          tryOut(name, () => check(server)),
        ),
      );
      const problems = results.flatMap(({ name, problem }) =>
        problem === undefined ? [] : [{ name, problem }],
      );
      if (problems.length > 0) c.var.log.fields.problems = problems;
      return c.json({ checks: results }, 200);
    },
  );
}

async function tryOut(
  name: string,
  check: () => Promise<unknown>,
): Promise<CheckResult> {
  const startedAt = Date.now();
  const silent = Promise.withResolvers<string>();
  const timer = setTimeout(
    silent.resolve,
    MAX_WAIT_MS,
    `does not answer within ${MAX_WAIT_MS / 1000} seconds`,
  );
  const problem = await Promise.race([problemOf(check), silent.promise]);
  clearTimeout(timer);
  return {
    name,
    duration_ms: Date.now() - startedAt,
    ...(problem !== undefined && { problem }),
  };
}

async function problemOf(
  check: () => Promise<unknown>,
): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    return describe(error).slice(0, MAX_CHARACTERS);
  }
}

/** The reason of a refusal, and what the platform said. Neither has a secret in it. */
function describe(error: unknown): string {
  if (error instanceof NoDecision) return error.message;
  if (!(error instanceof OAuthError)) return String(error);
  const { reason, cause } = error;
  return cause instanceof Error ? `${reason}: ${cause.message}` : reason;
}
