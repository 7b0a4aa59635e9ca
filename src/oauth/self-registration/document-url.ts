import type { Refused } from "../errors.ts";
import { isPrivateHost } from "../private-host.ts";
import type { Settings } from "../settings.ts";

/** The URL of a client's metadata document, which is its client_id (draft-ietf-oauth-client-id-metadata-document, section 3). */

/** The settings that decide from where metadata documents are read. */
export type DocumentRules = Pick<Settings, "issuer" | "metadata_documents">;

/** Tells whether a URL is at the server's own origin. Such a document is read in process. */
export function isOwn(url: string, { issuer }: DocumentRules): boolean {
  return new URL(url).origin === new URL(issuer).origin;
}

/**
 * Returns why the document of a URL is not read; undefined: it may be read. Two spellings of one URL would be two
 * clients, so that only the spelling of a URL parser is accepted. A local server (its issuer has plain http) also reads
 * documents of its own origin by plain http, and documents of private hosts.
 */
export function documentUrlRefusal(
  clientId: string,
  rules: DocumentRules,
): Refused | undefined {
  const problem = spellingProblem(clientId);
  if (problem !== undefined) return urlInvalid(problem);
  const { protocol, hostname } = new URL(clientId);
  const isLocal = rules.issuer.startsWith("http:");
  if (isOwn(clientId, rules)) return undefined;
  if (protocol !== "https:") return urlInvalid("it must begin with https://");
  if (hostname.endsWith("."))
    return urlInvalid("its host must not end with a dot");
  if (!isLocal && isPrivateHost(hostname))
    return urlInvalid("it must not lead to a private address");
  const { allowed_hosts, denied_hosts = [] } = rules.metadata_documents ?? {};
  const isAllowed = allowed_hosts?.includes(hostname) ?? true;
  return isAllowed && !denied_hosts.includes(hostname)
    ? undefined
    : { refused: "metadata_document_host_denied" };
}

function spellingProblem(clientId: string): string | undefined {
  if (!URL.canParse(clientId)) return "it is not a URL";
  const { href, username, password } = new URL(clientId);
  // `@` without a user is dropped by the parser.
  if (username !== "" || password !== "" || /^[^/]*\/\/[^/?#]*@/.test(clientId))
    return "it must not have a user or a password";
  if (clientId.includes("#")) return "it must not have a fragment";
  if (!/^https?:\/\/[^/?#]+\//i.test(clientId)) return "it must have a path";
  return href === clientId ? undefined : `it must be spelled ${href}`;
}

function urlInvalid(subject: string): Refused {
  return { refused: "metadata_document_url_invalid", subject };
}
