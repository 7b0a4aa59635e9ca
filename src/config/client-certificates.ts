import type { Problem } from "../oauth/errors.ts";
import { issuerProblem } from "./urls.ts";

/** The rules for the variables of client certificates (RFC 8705). */

interface Variables {
  CLIENT_CERTIFICATES?: "on" | undefined;
  MTLS_ENDPOINT_ORIGIN?: string | undefined;
  ALLOWED_HOSTS?: string[] | undefined;
}

/** Checks MTLS_ENDPOINT_ORIGIN. A client certificate is part of TLS, so plain http is for no host. */
export function mtlsOriginProblem(origin: string): string | undefined {
  if (issuerProblem(origin) !== undefined)
    return "must be an origin without a path or a slash at its end, such as https://mtls.auth.example.com";
  return origin.startsWith("https:") ? undefined : "must begin with https://";
}

/** Checks that the second origin is used, and that its host is let in. */
export function clientCertificateProblems({
  CLIENT_CERTIFICATES: isOn,
  MTLS_ENDPOINT_ORIGIN: origin,
  ALLOWED_HOSTS: hosts,
}: Variables): Problem[] {
  if (origin === undefined) return [];
  const problems: Problem[] = [];
  if (!isOn)
    problems.push({
      name: "MTLS_ENDPOINT_ORIGIN",
      problem:
        "needs CLIENT_CERTIFICATES = on, or nothing reads the certificates that clients send there",
    });
  if (hosts && !hosts.includes(new URL(origin).hostname))
    problems.push({
      name: "ALLOWED_HOSTS",
      problem:
        "must contain the host name of MTLS_ENDPOINT_ORIGIN, or nobody reaches it",
    });
  return problems;
}
