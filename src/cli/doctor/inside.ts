import { z } from "zod";
import { type Health, healthSchema } from "../commands/admin-client.ts";
import { redirectNotice } from "../commands/redirect.ts";
import { Failure } from "../failure.ts";
import { quote } from "../shell.ts";
import { version } from "../version.ts";
import type { Finding, Outcome } from "./finding.ts";
import type { Answer, Patient } from "./patient.ts";

/* What the server says of itself to an administrator. */

const examination = z.looseObject({
  checks: z.array(
    z.looseObject({
      name: z.string(),
      duration_ms: z.number(),
      problem: z.string().optional(),
    }),
  ),
});

/** The binding that only clients need that authenticate with a key. The server has tried it itself. */
const ASSERTION_LEDGER = "ASSERTION_LEDGER";

/** The names of values that are secrets. All other names are variables. */
const secretName =
  /^(?:PRIVATE_KEY|ENCRYPTION_KEY|ADMIN_TOKEN|LEAGUE_ENCRYPTION_KEY|EVENT_WEBHOOK_SECRET)/;

/** Tells whether the server serves this address. Undefined: it does. */
export function checkHost(
  patient: Patient,
  { status, json }: Answer,
): Finding[] | undefined {
  const { url, restart } = patient;
  const isOfBaton = z.object({ error: z.string() }).safeParse(json).success;
  if (status !== 404 || !isOfBaton) return undefined;
  return [
    {
      check: "host",
      subject: "ALLOWED_HOSTS",
      problem: `does not have the host of ${url}, so every path is 404`,
      why: "Nobody can use the server by this address.",
      remedy: `Ask the server by the address in ISSUER. If this one should work too, add "${new URL(url).hostname}" to ALLOWED_HOSTS in ${patient.fileOf("ALLOWED_HOSTS")}, and ${restart}.`,
    },
  ];
}

/** Reads the answer of `/health`. @throws Failure if it is not one of Baton */
export function readHealth(
  { url }: Patient,
  { status, headers, json }: Answer,
): Health {
  const { data } = healthSchema.safeParse(json);
  if (data) return data;
  throw new Failure(
    `${url} responded (HTTP ${status}), but not like Baton.${redirectNotice(url, headers)} Check the URL, and whether a rule of the zone blocks this machine.`,
  );
}

/** The values that keep the server from working. */
export function checkConfiguration(patient: Patient, health: Health): Outcome {
  const { status, problems = [] } = health;
  const wrong = problems.filter(
    ({ name }) =>
      !isRecord(name) && !isOfRegistration(name) && name !== ASSERTION_LEDGER,
  );
  if (status === "failing" && problems.length === 0) {
    return [
      {
        check: "configuration",
        problem:
          "is malformed, and the server names what is wrong only to its ADMIN_TOKEN",
        why: "Every endpoint answers 500.",
        remedy: `${tokenRemedy(patient)} Or read the log: \`npx wrangler tail\`.`,
      },
    ];
  }
  if (wrong.length === 0) return "is well formed";
  return wrong.map(({ name, problem }) => ({
    check: "configuration",
    subject: name,
    problem,
    ...(name === "CLIENT_CERTIFICATES" && status !== "failing"
      ? {
          why: "Such a client is refused at every request. Others work.",
          remedy: `Set CLIENT_CERTIFICATES to "on" in ${patient.fileOf(name)}, and ${patient.restart}; docs/proof-of-possession.md says what Cloudflare needs. Or change the clients.`,
        }
      : {
          why: "Every endpoint answers 500.",
          remedy: valueRemedy(patient, name),
        }),
  }));
}

/** The secrets that `npm run dev` makes if they are missing. */
const madeLocally = ["PRIVATE_KEY", "ENCRYPTION_KEY", "ADMIN_TOKEN"];

function valueRemedy(patient: Patient, name: string): string {
  const { isLocal, settings, restart } = patient;
  if (name === "KV")
    return `Look at https://www.cloudflarestatus.com, and at the binding KV in ${settings}.`;
  if (!secretName.test(name))
    return `Correct ${name} in ${patient.fileOf(name)}, and ${restart}.`;
  if (isLocal)
    return madeLocally.includes(name)
      ? `Correct ${name} in .dev.vars. Without the line, \`npm run dev\` writes a fresh value.`
      : `Correct ${name} in .dev.vars, and ${restart}.`;
  return `Put a good value: \`npx wrangler secret put ${name}\`. If it is a key, \`npm run baton -- keys generate\` makes one.`;
}

/** The records in KV that can't be read. */
export function checkRecords({ isLocal }: Patient, health: Health): Outcome {
  const wrong = (health.problems ?? []).filter(({ name }) => isRecord(name));
  if (health.status === "failing" && wrong.length === 0)
    return { notChecked: "the configuration is malformed" };
  if (wrong.length === 0) return "can be read";
  const where = isLocal ? "--local" : "--remote";
  return wrong.map(({ name, problem }) => ({
    check: "records",
    subject: name,
    problem,
    why:
      name === "scopes"
        ? "No token can be issued, because the server cannot tell which scopes exist."
        : name === "resources"
          ? "No token can be issued, because the server cannot tell which resources exist."
          : "This client cannot get or use a token. Others work.",
    remedy: `Look at it: \`npx wrangler kv key get --binding KV ${where} ${quote(name)}\`. Correct it with \`kv key put\`; docs/storage.md shows the shape.`,
  }));
}

/** Tells whether a binding is one that only dynamic registration needs. The server has tried it itself. */
function isOfRegistration(name: string): boolean {
  return ["REGISTRATION_COUNTER", "REGISTRATIONS_PER_NETWORK"].includes(name);
}

function isRecord(name: string): boolean {
  return (
    name === "scopes" || name === "resources" || name.startsWith("client:")
  );
}

/** Compares the server's version with this checkout. */
export function checkVersion({ version: deployed }: Health): Outcome {
  if (deployed === undefined)
    return { notChecked: "the server does not say its version" };
  if (deployed === version) return `is ${version}, as this checkout`;
  return [
    {
      check: "version",
      problem: `is ${deployed}, and this checkout is ${version}`,
      why: "What this checkout documents, and what its commands do, may not fit the server.",
      remedy: `Deploy this checkout: \`npx wrangler deploy\`. Or check out the version that is deployed: \`git checkout v${deployed}\`.`,
    },
  ];
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

function tokenRemedy({ isLocal, connection }: Patient): string {
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
