import type { Connection } from "../commands/connection.ts";
import { type CheckReport, reportOf } from "./finding.ts";
import {
  checkConfiguration,
  checkHost,
  checkRecords,
  checkVersion,
  readHealth,
} from "./health.ts";
import { checkAdminToken, checkInside } from "./inside.ts";
import {
  checkClock,
  checkDevelopmentSignIn,
  checkHttps,
  checkIssuer,
  checkJwks,
  readMetadata,
} from "./outside.ts";
import { Patient } from "./patient.ts";

/**
 * Examines a server from outside and, with the admin token, from inside.
 *
 * @throws Failure if it can't be reached, or if it is not Baton
 */
export async function examine(connection: Connection): Promise<CheckReport[]> {
  const patient = new Patient(connection);
  const answer = await patient.askAsAdministrator("/health");
  const host = checkHost(patient, answer);
  if (host) return [reportOf("host", host)];
  const health = readHealth(patient, answer);
  const reports = [
    reportOf("configuration", checkConfiguration(patient, health)),
    reportOf("records", checkRecords(patient, health)),
    reportOf("clock", checkClock(answer)),
    reportOf("https", await checkHttps(patient, answer)),
    reportOf("version", checkVersion(health)),
  ];
  // Every endpoint answers 500, so that the other checks would only repeat it.
  if (health.status === "failing") return reports;

  const metadata = await readMetadata(patient);
  const inside = await patient.askAsAdministrator("/admin/doctor", "POST");
  return [
    ...reports,
    reportOf("issuer", await checkIssuer(patient, metadata)),
    reportOf("jwks", await checkJwks(patient, metadata, health.keys)),
    reportOf(
      "development_sign_in",
      await checkDevelopmentSignIn(patient, metadata),
    ),
    reportOf("admin_token", checkAdminToken(patient, inside)),
    reportOf("storage, keys and rate limits", checkInside(patient, inside)),
  ];
}
