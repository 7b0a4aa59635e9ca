import { TestServer } from "./server.ts";

/** Client certificates, and a stand-in for what Cloudflare tells a Worker about them (`request.cf.tlsClientAuth`). */

export interface TestCertificate {
  /** As `openssl x509 -nameopt RFC2253` prints it. */
  subject: string;
  /** SHA-256 as `openssl x509 -fingerprint` prints it, without the colons. */
  fingerprint: string;
  /** The same in base64url: `x5t#S256`. */
  thumbprint: string;
  /** DER in base64, as in `x5c`. */
  der: string;
}

/* Made with OpenSSL. `app`, `renewed` and `other` are of one authority; `renewed` has the subject of `app`. */

export const app: TestCertificate = {
  subject:
    "emailAddress=ops@example.com,CN=app.example.com,OU=Z\\C3\\BCrich \\+ Bern,O=Example\\, Inc.,C=DE",
  fingerprint:
    "214de1efe330cccb92bb6ab73eb2783e79da9f5b1c5c9f8e2c87bcc874b7b52d",
  thumbprint: "IU3h7-MwzMuSu2q3PrJ4Pnnan1scXJ-OLIe8yHS3tS0",
  der: "MIICYDCCAgWgAwIBAgIUR0vkwyomd8xmiM4gUW2TF5hKPckwCgYIKoZIzj0EAwIwPjELMAkGA1UEBhMCREUxEzARBgNVBAoMCkV4YW1wbGUgQ0ExGjAYBgNVBAMMEUV4YW1wbGUgQ2xpZW50IENBMCAXDTI2MTEyNzA3MzQyMVoYDzIxMjYxMTAzMDczNDIxWjB4MQswCQYDVQQGEwJERTEWMBQGA1UECgwNRXhhbXBsZSwgSW5jLjEXMBUGA1UECwwOWsO8cmljaCArIEJlcm4xGDAWBgNVBAMMD2FwcC5leGFtcGxlLmNvbTEeMBwGCSqGSIb3DQEJARYPb3BzQGV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjPNDhkjUzWlb0nGtI067BOU35vN5iZvIxTYAZWWCodzA0riAcuMPPuy5xIWvr9uznfWqUk9MYl3xRyDihCIUH6OBpDCBoTBfBgNVHREEWDBWgg9hcHAuZXhhbXBsZS5jb22GGmh0dHBzOi8vYXBwLmV4YW1wbGUuY29tL2lkhwTAAAIHhxAgAQ24AAAAAAAAAAAAAAAHgQ9vcHNAZXhhbXBsZS5jb20wHQYDVR0OBBYEFBHAf8ciOETu0L3rmAAG+r5vTw4SMB8GA1UdIwQYMBaAFJ4MA0wbqTNW5Sy7xsN4t1HGrZAaMAoGCCqGSM49BAMCA0kAMEYCIQCwbQUhQE0uDcR4cWsc9VUWITpe3J2DZPprQT8K8sZCtAIhAOTyECINxaYcA5shnfwSLTAHbupIDLlCgYdLPQpt5Dk6",
};
export const renewed: TestCertificate = {
  subject:
    "emailAddress=ops@example.com,CN=app.example.com,OU=Z\\C3\\BCrich \\+ Bern,O=Example\\, Inc.,C=DE",
  fingerprint:
    "8d104393c1b6fd2d3616b3113b79ff58df2712592226a131e82cd90dbc36b625",
  thumbprint: "jRBDk8G2_S02FrMRO3n_WN8nElkiJqEx6CzZDbw2tiU",
  der: "MIICGTCCAb6gAwIBAgIUR0vkwyomd8xmiM4gUW2TF5hKPcowCgYIKoZIzj0EAwIwPjELMAkGA1UEBhMCREUxEzARBgNVBAoMCkV4YW1wbGUgQ0ExGjAYBgNVBAMMEUV4YW1wbGUgQ2xpZW50IENBMCAXDTI2MTEyNzA3MzQyMVoYDzIxMjYxMTAzMDczNDIxWjB4MQswCQYDVQQGEwJERTEWMBQGA1UECgwNRXhhbXBsZSwgSW5jLjEXMBUGA1UECwwOWsO8cmljaCArIEJlcm4xGDAWBgNVBAMMD2FwcC5leGFtcGxlLmNvbTEeMBwGCSqGSIb3DQEJARYPb3BzQGV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEmf8HRhipVs1cvELfgbHRSxjMO47bLKCIjrEXo0BQHEUDt6CW9g9LYtQzxyXex1nRkQITdWN2KTgw6/6WAjZ66NeMFwwGgYDVR0RBBMwEYIPYXBwLmV4YW1wbGUuY29tMB0GA1UdDgQWBBRoIJDBkyiNagly4WOldiq8+5ol+TAfBgNVHSMEGDAWgBSeDANMG6kzVuUsu8bDeLdRxq2QGjAKBggqhkjOPQQDAgNJADBGAiEAtgJXLpUnEOa28dM79jPFH3axNSpktbY88W0lNd7JDpICIQCepa+PLYkzzfQ4Ewny9UNpGAMD6JEDdWHLZuaBTYCmYQ==",
};
export const other: TestCertificate = {
  subject: "CN=other.example.com,O=Example\\, Inc.,C=DE",
  fingerprint:
    "b1dc2f7cfa34268dfce7aa05a9a066811ba3741086049e2abfa1c3ffb6afb65a",
  thumbprint: "sdwvfPo0Jo3856oFqaBmgRujdBCGBJ4qv6HD_7avtlo",
  der: "MIIB0TCCAXagAwIBAgIUR0vkwyomd8xmiM4gUW2TF5hKPcgwCgYIKoZIzj0EAwIwPjELMAkGA1UEBhMCREUxEzARBgNVBAoMCkV4YW1wbGUgQ0ExGjAYBgNVBAMMEUV4YW1wbGUgQ2xpZW50IENBMCAXDTI2MTEyNzA3MzQwOFoYDzIxMjYxMTAzMDczNDA4WjBBMQswCQYDVQQGEwJERTEWMBQGA1UECgwNRXhhbXBsZSwgSW5jLjEaMBgGA1UEAwwRb3RoZXIuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQdKa9dutmGa0H+rxjytLc4ndTEv+bHyxv8SYV2cB4ADPLGfuyiF96PCETdc0gZ1SKhltfZPp7YhlD7OjOhPMaNo00wSzAJBgNVHRMEAjAAMB0GA1UdDgQWBBSvakw6cSn8mPUduKpmrup1aTnkUTAfBgNVHSMEGDAWgBSeDANMG6kzVuUsu8bDeLdRxq2QGjAKBggqhkjOPQQDAgNJADBGAiEA4LzL6ML95CKem8cSMM7LnmndePv6YShUrn6q/pt0Hv4CIQCQryHfRCN+SJ5+kAdpw2XS0F+t2fYSCdtvLA3nDxwIwQ==",
};
export const selfa: TestCertificate = {
  subject: "CN=selfa",
  fingerprint:
    "ef33b9a1d4eb4a928c56556b3fc03bb241f1d6ca8501de81ebb361252f6f0cb9",
  thumbprint: "7zO5odTrSpKMVlVrP8A7skHx1sqFAd6B67NhJS9vDLk",
  der: "MIIBdzCCAR2gAwIBAgIUArR0/k0f6EI7MSMqN1EZRces/j8wCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFc2VsZmEwIBcNMjYxMTI3MDczNDA4WhgPMjEyNjExMDMwNzM0MDhaMBAxDjAMBgNVBAMMBXNlbGZhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+00g5r729KcS3YJppHaLzLvh4p6k/9fEyNU+DlV4wCCmVsqxYIoCFW9qtfl8GKcYU2g7rpFp2XE2COkZQCnqaqNTMFEwHQYDVR0OBBYEFI2FF+ey5GmILqUfksLWVBLjS1goMB8GA1UdIwQYMBaAFI2FF+ey5GmILqUfksLWVBLjS1goMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgX77tY1rdkGGb27FKAdrJOB6EAxjsjmsV6B2Nk52S4CwCIQCe2wtaQK4R8fz7liMrLK4gH1BfLAWiAn4nZKusGoXCWw==",
};
export const selfb: TestCertificate = {
  subject: "CN=selfb",
  fingerprint:
    "3350f1b9bf59ebf6f7a77045bc6f8f098706aee2564d430a49379a330510f657",
  thumbprint: "M1Dxub9Z6_b3p3BFvG-PCYcGruJWTUMKSTeaMwUQ9lc",
  der: "MIIBdzCCAR2gAwIBAgIUQ2c27p5oX5E64vaAt4/cLm26NL8wCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFc2VsZmIwIBcNMjYxMTI3MDczNDA4WhgPMjEyNjExMDMwNzM0MDhaMBAxDjAMBgNVBAMMBXNlbGZiMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpK7fgjRTXHHy3aKyYQrUpbecSvgBcl0EUpsdRArEpClFE2bIrJr7dbQK4xWL7/qUKTKI6evgyfUrfHf9as4e3qNTMFEwHQYDVR0OBBYEFIdpHIB36oOMrlk6JsK3yC+0d2aBMB8GA1UdIwQYMBaAFIdpHIB36oOMrlk6JsK3yC+0d2aBMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIvqTe+BbTriX4boE1DY2OpmWgeBjvDi+vJ9w6vRkJ7zAiAhsRnparL0IOAKNIU6G44Up2MQ0XkctIvACQd0Hyhf2g==",
};

/** Returns the key of a certificate that signs itself, as a client registers it (RFC 8705 section 2.2.2). */
export function registeredKey(
  { der }: TestCertificate,
  ...authorities: TestCertificate[]
): Record<string, unknown> {
  const x5c = [der, ...authorities.map((authority) => authority.der)];
  return { ...publicKeys[der], x5c };
}

/** The public keys of the certificates that sign themselves. */
const publicKeys: Record<string, Record<string, string>> = {
  [selfa.der]: {
    kty: "EC",
    crv: "P-256",
    x: "-00g5r729KcS3YJppHaLzLvh4p6k_9fEyNU-DlV4wCA",
    y: "plbKsWCKAhVvarX5fBinGFNoO66RadlxNgjpGUAp6mo",
  },
  [selfb.der]: {
    kty: "EC",
    crv: "P-256",
    x: "pK7fgjRTXHHy3aKyYQrUpbecSvgBcl0EUpsdRArEpCk",
    y: "RRNmyKya-3W0CuMVi-_6lCkyiOnr4Mn1K3x3_WrOHt4",
  },
};

/** The description of a verified certificate. `more` changes it. */
export function described(
  { subject, fingerprint, der }: TestCertificate,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    ...placeholder,
    certPresented: "1",
    certVerified: "SUCCESS",
    certSubjectDN: subject,
    certSubjectDNRFC2253: subject,
    certFingerprintSHA256: fingerprint,
    certSerial: "00936EACBE07F201DF",
    certNotBefore: "Nov 27 07:34:21 2026 GMT",
    certNotAfter: "Nov  3 07:34:21 2126 GMT",
    certRFC9440: `:${der}:`,
    ...more,
  };
}

/** The members that describe a certificate that signs itself. */
export const SELF_SIGNED = { certVerified: "FAILED:self signed certificate" };

/** The description of a request without a certificate, which local development has too. */
export const placeholder = {
  certPresented: "0",
  certVerified: "NONE",
  certRevoked: "0",
  certIssuerDN: "",
  certSubjectDN: "",
  certIssuerDNRFC2253: "",
  certSubjectDNRFC2253: "",
  certIssuerDNLegacy: "",
  certSubjectDNLegacy: "",
  certSerial: "",
  certIssuerSerial: "",
  certSKI: "",
  certIssuerSKI: "",
  certFingerprintSHA1: "",
  certFingerprintSHA256: "",
  certNotBefore: "",
  certNotAfter: "",
  certRFC9440: "",
  certRFC9440TooLarge: false,
  certChainRFC9440: "",
  certChainRFC9440TooLarge: false,
};

/** The same server, as one reaches it through an edge that describes the client's certificate like this. */
export function through(
  server: TestServer,
  tlsClientAuth: unknown,
): TestServer {
  return new TestServer((request) =>
    server.fetch(
      new Request(request, {
        cf: { tlsClientAuth },
      }),
    ),
  );
}

/** The same server, for a client with this certificate. */
export function withCertificate(
  server: TestServer,
  certificate: TestCertificate,
  more: Record<string, unknown> = {},
): TestServer {
  return through(server, described(certificate, more));
}
