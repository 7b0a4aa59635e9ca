import { z } from "zod";
import type { Finding, Outcome } from "./finding.ts";
import type { Answer, Patient } from "./patient.ts";

/* What the admin API says: to the admin token, and of what the server has tried itself. */

const examination = z.looseObject({
  checks: z.array(
    z.looseObject({
      name: z.string(),
      duration_ms: z.number(),
      problem: z.string().optional(),
    }),
  ),
});

/** The binding that only clients need that authenticate with a key. */
const ASSERTION_LEDGER = "ASSERTION_LEDGER";

/** Tells whether a binding is one that only dynamic registration needs. */
function isOfRegistration(name: string): boolean {
  return ["REGISTRATION_COUNTER", "REGISTRATIONS_PER_NETWORK"].includes(name);
}

/** Tells whether a binding has a check of its own in the examination, so that `/health` need not name it. */
export function isExamined(name: string): boolean {
  return isOfRegistration(name) || name === ASSERTION_LEDGER;
}

/** What the admin API says to the admin token. */
export function checkAdminToken(patient: Patient, answer: Answer): Outcome {
  const { url, connection } = patient;
  if (answer.status === 401) {
    return [
      {
        check: "admin_token",
        subject: connection.tokenSource,
        problem: `is not an admin token of ${url}`,
        why: "No command of this command line works.",
        remedy: tokenRemedy(patient),
      },
    ];
  }
  if (answer.status === 404) {
    return [
      {
        check: "admin_token",
        subject: "ADMIN_TOKEN",
        problem:
          "is not set, so the admin API is off; or the server is older than this checkout",
        why: "Nobody can manage clients, or log a user out.",
        remedy: patient.isLocal
          ? "Set ADMIN_TOKEN in .dev.vars, and start `npm run dev` again."
          : "Set the secret: `npx wrangler secret put ADMIN_TOKEN`. If it is set, deploy this checkout: `npx wrangler deploy`.",
      },
    ];
  }
  if (answer.status === 403)
    return {
      notChecked: "the admin token does not have the role operator",
      isGap: true,
    };
  return "is accepted";
}

/** Says how the admin token becomes that of the server. */
export function tokenRemedy({ isLocal, connection }: Patient): string {
  return isLocal
    ? `Set ${connection.tokenSource} to the server's ADMIN_TOKEN, and start the server again if .dev.vars has changed.`
    : `Set ${connection.tokenSource} to the server's ADMIN_TOKEN. If it is lost, put a new one: \`npx wrangler secret put ADMIN_TOKEN\`.`;
}

/** What the server has tried itself, by the answer of `POST /admin/doctor`. */
export function checkInside(
  patient: Patient,
  { json, status }: Answer,
): Outcome {
  const { data } = examination.safeParse(json);
  if (!data)
    return { notChecked: `the admin API answered ${status}`, isGap: true };
  const wrong = data.checks.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [{ name, problem }],
  );
  if (wrong.length === 0) {
    const times = data.checks.map(
      ({ name, duration_ms }) => `${name} ${duration_ms} ms`,
    );
    return `work: ${times.join(", ")}`;
  }
  return wrong.map(({ name, problem }) =>
    insideFinding(patient, name, problem),
  );
}

function insideFinding(
  patient: Patient,
  name: string,
  problem: string,
): Finding {
  const { settings, restart } = patient;
  if (name.startsWith("GUESSES_")) {
    return {
      check: "rate_limits",
      subject: name,
      problem: `does not answer: ${problem}`,
      why: "Each isolate counts wrong secrets for itself alone, so that an attacker gets many more guesses.",
      remedy: `Add the rate limit ${name} to ${settings}, as in the wrangler.toml of the repository, and ${restart}.`,
    };
  }
  if (isOfRegistration(name)) {
    return {
      check: "registration",
      subject: name,
      problem,
      why:
        name === "REGISTRATION_COUNTER"
          ? "No client can register itself."
          : "One network may use up the registrations of a day.",
      remedy: `Compare the binding ${name} in ${settings} with the wrangler.toml of the repository, and ${restart}.`,
    };
  }
  if (name === ASSERTION_LEDGER) {
    return {
      check: "storage",
      subject: name,
      problem,
      why: "A client that authenticates with private_key_jwt gets no token of its own, and cannot revoke or introspect one.",
      remedy: `Add the binding ${name} to ${settings}: \`npm run baton -- setup --update\`, and ${restart}. If it is there, look at https://www.cloudflarestatus.com.`,
    };
  }
  if (name === "LOGIN_URL") {
    return {
      check: "registration",
      subject: name,
      problem,
      why: "/authorize is 404.",
      remedy: `Set LOGIN_URL in ${patient.fileOf(name)} to the URL of your sign-in page, and ${restart}.`,
    };
  }
  if (name === "resources") {
    return {
      check: "registration",
      subject: name,
      problem,
      why: "An agent gets invalid_target, and no token.",
      remedy:
        "Open your API or MCP server to them, by its URL: `npm run -s baton -- resources put URI --scope SCOPES --self-registered-clients`. docs/agents.md shows it.",
    };
  }
  if (name === "REFRESH_HOOK") {
    return {
      check: "refresh_hook",
      subject: name,
      problem: `makes no decision: ${problem}`,
      why: `Refreshes go on without it${/\bno answer within\b/.test(problem) ? ", each after the time-out" : ""}. With REFRESH_HOOK_FAIL_CLOSED they answer 503.`,
      remedy: `Read the log of the Worker that is bound as REFRESH_HOOK in ${settings}; docs/login.md shows what it must answer.`,
    };
  }
  if (name === "PRIVATE_KEY") {
    return {
      check: "keys",
      subject: name,
      problem,
      why: "Resource servers refuse the access tokens.",
      remedy: "Look at the keys: `npm run baton -- keys show`.",
    };
  }
  return {
    check: "storage",
    subject: name,
    problem: `does not work: ${problem}`,
    why:
      name === "LEAGUE_LEDGER"
        ? "Tokens of an old server are refused."
        : "Logins, refreshes or changes of records answer 503.",
    remedy: `Compare the binding ${name} in ${settings} with the wrangler.toml of the repository, and ${restart}. If it is as there, look at https://www.cloudflarestatus.com.`,
  };
}
