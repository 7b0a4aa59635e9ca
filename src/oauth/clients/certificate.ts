import * as base64url from "jose/base64url";
import { comparableAddress } from "../ip-address.ts";
import { alternativeNames } from "./alternative-names.ts";
import { lowerCaseAscii } from "../ascii.ts";
import { decodeBase64 } from "../bytes.ts";
import type { ClientKeyFinder } from "../client-key-finder.ts";
import { subjectFields } from "../client-keys-rule.ts";
import type { ClientKey } from "../client-keys.ts";
import type { Client } from "../entities.ts";
import type { Reason } from "../errors.ts";
import { normalizedName } from "../distinguished-name.ts";

/**
 * The certificate of a client that has shown, in the handshake of TLS, that it has the private key. Anybody can make one:
 * `verified` says whether a certificate authority vouches for its subject.
 */
export interface ClientCertificate {
  /** SHA-256 of the certificate in DER, in base64url (`x5t#S256`, RFC 8705 section 3.1). */
  thumbprint: string;
  /** True: it leads to a certificate authority that the operator has chosen for this host, and is in its time. */
  verified: boolean;
  /** True: the authority has revoked it. It proves nothing any more. */
  revoked: boolean;
  /** The subject, in the form of RFC 4514. */
  subject: string;
  /** Returns the certificate in DER. Empty: the platform has not handed it out, such as one over 10 KB. */
  der: () => Uint8Array;
}

/** The certificate of a request, and access to the keys of its client. */
interface Shown {
  /** Undefined: the request has none, or CLIENT_CERTIFICATES is off. */
  certificate: ClientCertificate | undefined;
  clientKeys: () => Promise<ClientKeyFinder>;
  /** As of `ClientKeyFinder`. */
  network: string;
}

/**
 * Authenticates a client by its certificate (RFC 8705 section 2).
 *
 * @returns the reason of the refusal. Undefined: it is the client
 * @throws OAuthError what `ClientKeyFinder` throws
 */
export async function certificateRefusal(
  client: Client,
  { certificate, clientKeys, network }: Shown,
): Promise<Reason | undefined> {
  if (!certificate) return "client_certificate_missing";
  if (certificate.revoked) return "client_certificate_revoked";
  if (client.token_endpoint_auth_method === "tls_client_auth")
    return judgeSubject(client, certificate);
  const { jwks, jwks_uri } = client;
  if (jwks_uri === undefined) return judgeKeys(jwks?.keys ?? [], certificate);
  const finder = await clientKeys();
  const known = await finder.find(jwks_uri, network);
  if ("refused" in known) return known.refused;
  const refused = await judgeKeys(known, certificate);
  if (refused === undefined) return undefined;
  const newer = await finder.findAgain(jwks_uri, network);
  if ("refused" in newer) return newer.refused;
  return newer === known ? refused : judgeKeys(newer, certificate);
}

/** Section 2.1: the authority vouches for the subject. A renewed certificate with the same subject works at once. */
function judgeSubject(
  client: Client,
  certificate: ClientCertificate,
): Reason | undefined {
  if (!certificate.verified) return "client_certificate_unverified";
  const verdicts = subjectFields.flatMap((field) => {
    const { [field]: expected } = client;
    return expected === undefined
      ? []
      : [subjectRules[field](expected, certificate)];
  });
  return verdicts.length > 0 && !verdicts.includes(false)
    ? undefined
    : "client_certificate_wrong";
}

/** Section 2.1.2: tell whether a certificate says what a field of the record expects. */
const subjectRules: Record<
  (typeof subjectFields)[number],
  (expected: string, certificate: ClientCertificate) => boolean
> = {
  tls_client_auth_subject_dn(expected, { subject }) {
    const name = normalizedName(expected);
    return name !== undefined && name === normalizedName(subject);
  },
  // RFC 4343: names of hosts have no case.
  tls_client_auth_san_dns: (expected, { der }) =>
    alternativeNames(der())
      .dns.map(lowerCaseAscii)
      .includes(lowerCaseAscii(expected)),
  tls_client_auth_san_uri: (expected, { der }) =>
    alternativeNames(der()).uri.includes(expected),
  tls_client_auth_san_ip(expected, { der }) {
    const address = comparableAddress(expected);
    return (
      address !== undefined && alternativeNames(der()).ip.includes(address)
    );
  },
  tls_client_auth_san_email: (expected, { der }) =>
    alternativeNames(der()).email.includes(expected),
};

/**
 * Section 2.2: the certificate itself is registered. Nobody has to vouch for it, and its dates are not read: it works
 * until it is taken out of the keys.
 */
async function judgeKeys(
  keys: readonly ClientKey[],
  { thumbprint }: ClientCertificate,
): Promise<Reason | undefined> {
  const registered = await Promise.all(keys.map(thumbprintOf));
  return registered.includes(thumbprint)
    ? undefined
    : "client_certificate_wrong";
}

/** Returns the thumbprint of the certificate of a key (RFC 7517 sections 4.7 and 4.9). Undefined: it has none. */
async function thumbprintOf({
  x5c: [first] = [],
  "x5t#S256": thumbprint,
}: ClientKey): Promise<string | undefined> {
  if (first === undefined) return thumbprint;
  const der = decodeBase64(first);
  return der && certificateThumbprint(der);
}

/** Computes `x5t#S256` of a certificate (RFC 8705 section 3.1). */
async function certificateThumbprint(der: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", der);
  return base64url.encode(new Uint8Array(digest));
}
