import { after, type Seconds } from "../oauth/duration.ts";
import type { Problem } from "../oauth/errors.ts";
import type {
  DynamicRegistrationSettings,
  MetadataDocumentSettings,
} from "../oauth/settings.ts";

/** The rules for the variables of clients that nobody has registered by hand. */

interface Variables {
  CLIENT_ID_METADATA_DOCUMENTS?: "on" | undefined;
  CLIENT_ID_METADATA_HOSTS?: string[] | undefined;
  CLIENT_ID_METADATA_DENIED_HOSTS?: string[] | undefined;
  DYNAMIC_REGISTRATION?: "open" | "token" | undefined;
  REGISTRATIONS_PER_DAY: string;
  REGISTRATION_IDLE_TTL: string;
  REFRESH_TOKEN_TTL: string;
}

/** A day on which more clients register than this needs another design of storage, not a larger number. */
const MAX_PER_DAY = 1_000_000;

/** Checks REGISTRATIONS_PER_DAY. */
export function perDayProblem(text: string): string | undefined {
  const isNumber = /^[1-9]\d{0,6}$/.test(text) && +text <= MAX_PER_DAY;
  return isNumber
    ? undefined
    : `must be a whole number from 1 to ${MAX_PER_DAY}`;
}

/** Without this flag a fetch of a URL on the Worker's own zone goes to the server behind it, past its protection. */
const FLAG = "global_fetch_strictly_public";

/**
 * Checks that metadata documents are fetched over the internet alone, and that a client that is not used does not end
 * before its refresh tokens do.
 *
 * @param now the time from which months are counted
 */
export function selfRegistrationProblems(
  {
    CLIENT_ID_METADATA_DOCUMENTS: readsDocuments,
    DYNAMIC_REGISTRATION: registers,
    REGISTRATION_IDLE_TTL: idle,
    REFRESH_TOKEN_TTL: refreshTokenTtl,
  }: Variables,
  now: Seconds,
): Problem[] {
  if (!readsDocuments && !registers) return [];
  const problems: Problem[] = [];
  if (readsDocuments && !Cloudflare.compatibilityFlags[FLAG])
    problems.push({
      name: "CLIENT_ID_METADATA_DOCUMENTS",
      problem: `needs compatibility_flags = ["${FLAG}"] in the settings of the Worker, so that a stranger's URL leads nowhere but to the internet: setup --update adds it`,
    });
  if (after(idle, now) < after(refreshTokenTtl, now))
    problems.push({
      name: "REGISTRATION_IDLE_TTL",
      problem:
        "is shorter than REFRESH_TOKEN_TTL, and must not be, because the client of a refresh token would end before it",
    });
  return problems;
}

/** Returns from which hosts metadata documents are read. Undefined: none are read. */
export function metadataDocumentSettings({
  CLIENT_ID_METADATA_DOCUMENTS: isOn,
  CLIENT_ID_METADATA_HOSTS: allowed_hosts,
  CLIENT_ID_METADATA_DENIED_HOSTS: denied_hosts = [],
}: Variables): MetadataDocumentSettings | undefined {
  return isOn && { ...(allowed_hosts && { allowed_hosts }), denied_hosts };
}

/** Returns how clients register themselves. Undefined: they cannot. */
export function dynamicRegistrationSettings({
  DYNAMIC_REGISTRATION: access,
  REGISTRATIONS_PER_DAY: perDay,
}: Variables): DynamicRegistrationSettings | undefined {
  return access && { access, per_day: Number(perDay) };
}
