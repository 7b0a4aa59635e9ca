import * as base64url from "jose/base64url";
import * as v from "valibot";
import { decodeBase64, decodeHex } from "../oauth/bytes.ts";
import type { ClientCertificate } from "../oauth/clients/certificate.ts";
import { parse } from "../oauth/schema.ts";

/**
 * The members of `request.cf.tlsClientAuth` that are read
 * (https://developers.cloudflare.com/ssl/client-certificates/client-certificate-variables/). Without a certificate
 * `certPresented` is "0" and the others are empty, in local development too.
 */
const presented = v.object({
  certPresented: v.literal("1"),
  /** `SUCCESS`, or `FAILED:` with the reason, such as that it is signed by itself or has expired. */
  certVerified: v.string(),
  certRevoked: v.picklist(["0", "1"]),
  certFingerprintSHA256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/i)),
  certSubjectDNRFC2253: v.string(),
  /** `:`, the certificate in base64, `:` (RFC 9440 section 2.1). Empty if it is over 10 KB. */
  certRFC9440: v.optional(v.string(), ""),
});

/** Reads a certificate as the platform describes it. Undefined: there is none, or the description is malformed. */
export function readCertificate(
  described: unknown,
): ClientCertificate | undefined {
  const { data } = parse(presented, described);
  return (
    data && {
      thumbprint: base64url.encode(decodeHex(data.certFingerprintSHA256)),
      verified: data.certVerified === "SUCCESS",
      revoked: data.certRevoked === "1",
      subject: data.certSubjectDNRFC2253,
      der: () =>
        decodeBase64(data.certRFC9440.replaceAll(":", "")) ?? new Uint8Array(),
    }
  );
}
