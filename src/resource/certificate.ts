/** The part of Cloudflare's `request.cf` that says which client certificate the TLS connection has. */
interface ClientCertificate {
  certPresented?: string;
  certRevoked?: string;
  /** SHA-256 of the certificate, in hexadecimal digits. */
  certFingerprintSHA256?: string;
}

/**
 * Returns the thumbprint of the client certificate (RFC 8705 section 3.1), as Cloudflare tells a Worker in `request.cf`. The
 * TLS handshake has proven its key. It may be self-signed or expired, because the token names this one certificate, but not revoked.
 */
export function certificateOfCloudflare(request: Request): string | undefined {
  const { cf } = request as { cf?: { tlsClientAuth?: ClientCertificate } };
  const certificate = cf?.tlsClientAuth;
  const { certFingerprintSHA256: digits = "" } = certificate ?? {};
  if (certificate?.certPresented !== "1" || certificate.certRevoked === "1")
    return undefined;
  if (!/^[\da-f]{64}$/i.test(digits)) return undefined;
  const pairs = digits.match(/../g) ?? [];
  const bytes = pairs.map((pair) => Number.parseInt(pair, 16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
