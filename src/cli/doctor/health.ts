import { z } from "zod";
import { type Health, healthSchema } from "../commands/admin-client.ts";
import { redirectNotice } from "../commands/redirect.ts";
import { Failure } from "../failure.ts";
import { quote } from "../shell.ts";
import { version } from "../version.ts";
import type { Finding, Outcome } from "./finding.ts";
import { isExamined, tokenRemedy } from "./inside.ts";
import type { Answer, Patient } from "./patient.ts";

/* What `/health` says of the server's configuration and records. */

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
    ({ name }) => !isRecord(name) && !isExamined(name),
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
