import { z } from "zod";
import type { ServerKey } from "../keys/server-key.ts";
import type { Finding, Outcome } from "./finding.ts";
import type { Answer, Patient } from "./patient.ts";

/*
 * What everybody can see of a server: the clock, the addresses, the published keys, and what should not be there.
 */

/** Tokens are compared with clocks; a server allows other servers about this much. Seconds. */
const MAX_CLOCK_DIFFERENCE = 30;

const metadataSchema = z.looseObject({
  issuer: z.string(),
  jwks_uri: z.url(),
});
const jwksSchema = z.looseObject({
  keys: z.array(z.looseObject({ kid: z.string().optional() })),
});

export type Metadata = z.output<typeof metadataSchema>;

/** Reads the server metadata (RFC 8414). Undefined: the server does not answer with it. */
export async function readMetadata(
  patient: Patient,
): Promise<Metadata | undefined> {
  const answer = await patient.ask("/.well-known/oauth-authorization-server");
  return metadataSchema.safeParse(answer.json).data;
}

/** Compares the clocks, as far as the seconds of a Date header can tell (RFC 9110 section 6.6.1). */
export function checkClock({ headers, sentAt, receivedAt }: Answer): Outcome {
  const date = Date.parse(headers.get("Date") ?? "");
  if (Number.isNaN(date)) return { notChecked: "the answer has no Date" };
  const behind = sentAt - (date + 999);
  const ahead = date - receivedAt;
  const seconds = Math.floor(Math.max(behind, ahead, 0) / 1000);
  if (seconds <= MAX_CLOCK_DIFFERENCE)
    return "agrees with the clock of this machine";
  return [
    {
      check: "clock",
      problem: `is ${seconds} seconds ${ahead > 0 ? "ahead of" : "behind"} the clock of this machine`,
      why: "Tokens are refused before they begin or after they have expired, by the clock of the API that verifies them.",
      remedy:
        "Set the clock of this machine, and of every resource server, by NTP. Cloudflare keeps its own.",
    },
  ];
}

/** Compares ISSUER with the address that was asked, and asks the address in ISSUER. */
export async function checkIssuer(
  patient: Patient,
  metadata: Metadata | undefined,
): Promise<Outcome> {
  const { url, restart } = patient;
  if (!metadata) {
    return [
      {
        check: "issuer",
        problem: `${url}/.well-known/oauth-authorization-server has no server metadata`,
        why: "Clients and resource servers find the server by it.",
        remedy: `Check whether a rule of the zone blocks the path: curl -i ${url}/.well-known/oauth-authorization-server`,
      },
    ];
  }
  const { issuer } = metadata;
  if (issuer === url) return `is ${issuer}, the address that was asked`;
  const there = await patient.askElsewhere(
    `${issuer}/.well-known/oauth-authorization-server`,
  );
  const isSame = metadataSchema.safeParse(there?.json).data?.issuer === issuer;
  return [
    {
      check: "issuer",
      subject: "ISSUER",
      problem: isSame
        ? `is ${issuer}, and the server also answers at ${url}`
        : `is ${issuer}, and no server answers there with this issuer; the server answers at ${url}`,
      why: isSame
        ? "Clients that use this address refuse the metadata (RFC 8414 section 3.3), because it names another."
        : "Clients and resource servers refuse the tokens and the metadata, because they can't find the keys of the issuer.",
      remedy: isSame
        ? `Ask the server by ${issuer}. To close the other address, set ALLOWED_HOSTS to "${new URL(issuer).host}" in ${patient.fileOf("ALLOWED_HOSTS")}, and ${restart}.`
        : `Set ISSUER to "${url}" in ${patient.fileOf("ISSUER")}, or route ${issuer} to the Worker. Then ${restart}.`,
    },
  ];
}

/** Checks that nobody can read the tokens on their way. */
export async function checkHttps(
  patient: Patient,
  health: Answer,
): Promise<Outcome> {
  const { url, isLocal } = patient;
  if (isLocal) return { notChecked: "the server is on this machine" };
  const finding = (problem: string): Finding => ({
    check: "https",
    problem,
    why: "Everybody on the network between can read secrets and tokens.",
    remedy: `Turn on "Always Use HTTPS" for the zone, and give clients https addresses only.`,
  });
  if (url.startsWith("http:")) return [finding(`${url} is plain http`)];
  const plain = await patient.askElsewhere(
    `http://${new URL(url).host}/health`,
  );
  if (plain?.status === 200) return [finding(`${url} answers plain http, too`)];
  return health.headers.has("Strict-Transport-Security")
    ? "is required, and browsers are told so"
    : [finding("the answer has no Strict-Transport-Security")];
}

/** Compares the published keys with those that the server has. */
export async function checkJwks(
  patient: Patient,
  metadata: Metadata | undefined,
  keys: readonly ServerKey[] | undefined,
): Promise<Outcome> {
  if (!metadata) return { notChecked: "there is no metadata" };
  // The path of the metadata, at the address that was asked: ISSUER may be another, which is a finding of its own.
  const { pathname } = new URL(metadata.jwks_uri);
  const answer = await patient.ask(pathname);
  const jwks = jwksSchema.safeParse(answer.json).data;
  const finding = (problem: string, remedy: string): Finding => ({
    check: "jwks",
    problem,
    why: "Resource servers refuse the access tokens, because they find the keys there.",
    remedy,
  });
  if (!jwks)
    return [
      finding(
        `${patient.url}${pathname} has no keys`,
        `Look at the answer: curl -i ${patient.url}${pathname}`,
      ),
    ];
  if (jwks.keys.some((key) => "d" in key || "k" in key)) {
    return [
      {
        check: "jwks",
        problem: "a private key is published",
        why: "Everybody can sign tokens.",
        remedy:
          "Replace the key at once: `npm run baton -- keys leaked`. Then find out what answers in the place of Baton.",
      },
    ];
  }
  if (!keys) return { notChecked: "the server does not list its keys" };
  const published = new Set(jwks.keys.map(({ kid }) => kid));
  const missing = keys.filter(
    ({ kind, kid }) => kind === "private" && !published.has(kid),
  );
  if (missing.length === 0)
    return `has all ${published.size} public keys of the server`;
  return missing.map(({ secret, kid }) => ({
    ...finding(
      `the key ${kid} of ${secret} is not published`,
      "Wait five minutes, for which the document may be kept, and run this command again. If it stays so, something between here and the Worker keeps an old copy: purge the cache of the zone.",
    ),
    subject: secret,
  }));
}

/** Looks for the sign-in page on which anybody can sign in as anybody. */
export async function checkDevelopmentSignIn(
  patient: Patient,
  metadata: Metadata | undefined,
): Promise<Outcome> {
  const { status } = await patient.ask("/dev/login");
  if (status === 404) return "is absent";
  const isForLocalUse =
    patient.isLocal && (metadata?.issuer ?? "").startsWith("http:");
  if (isForLocalUse) return "is there, as it should on this machine";
  return [
    {
      check: "development_sign_in",
      subject: "/dev/login",
      problem: `is there: ${patient.url}/dev/login answers ${status}`,
      why: "On this page anybody can sign in as anybody, without a password.",
      remedy: `Set main to "src/index.ts" in ${patient.settings}, and ${patient.restart}. Then end all logins: \`npm run baton -- clients logout ID\` for each client.`,
    },
  ];
}
