/** The part of Cloudflare's `request.cf` that says which client certificate the TLS connection has. */
interface ClientCertificate {
  certPresented?: string;
  /** SHA-256 of the certificate, in hexadecimal digits. */
  certFingerprintSHA256?: string;
}

/**
 * Returns the thumbprint of the client certificate (RFC 8705 section 3.1), as Cloudflare tells a Worker in `request.cf`. The
 * TLS handshake has proven its key. It may be self-signed or expired, because the token names this one certificate.
 */
export function certificateOfCloudflare(request: Request): string | undefined {
  const { cf } = request as { cf?: { tlsClientAuth?: ClientCertificate } };
  const { certPresented, certFingerprintSHA256 = "" } = cf?.tlsClientAuth ?? {};
  if (certPresented !== "1" || !/^[\da-f]{64}$/i.test(certFingerprintSHA256))
    return undefined;
  const pairs = certFingerprintSHA256.match(/../g) ?? [];
  const bytes = pairs.map((pair) => Number.parseInt(pair, 16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
