/** Public keys of clients. Nobody has the private ones. */

export const ecKey = {
  kty: "EC",
  crv: "P-256",
  x: "7yGUmnDiBAjsJ2itAuhNnWbQEovwOPxHpRX0H0gw-ow",
  y: "_ORIpuAYyXj3fZdc0KKOon3P5ZYlKLSazvVVNN3ykx0",
};

/** A self-signed certificate of `ecKey`, in the form of `x5c`. */
export const ecCertificate =
  "MIIBejCCASGgAwIBAgIUVOh8pNMj68EY2a+u0HK6SnWpLeAwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHYmlsbGluZzAgFw0yNjExMjcwNzM5MzFaGA8yMTI2MTEwMzA3MzkzMVowEjEQMA4GA1UEAwwHYmlsbGluZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO8hlJpw4gQI7CdorQLoTZ1m0BKL8Dj8R6UV9B9IMPqM/ORIpuAYyXj3fZdc0KKOon3P5ZYlKLSazvVVNN3ykx2jUzBRMB0GA1UdDgQWBBRFo7M+WmtY0p2COd9LR8FBXNXrIzAfBgNVHSMEGDAWgBRFo7M+WmtY0p2COd9LR8FBXNXrIzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIADpfGR+Myx+mOx7NFX38M+Kd/so5ixxkcQU4V87WYWVAiBlcvTDvMvGIN5FcxjMIWVCv+/dIrNZo/RC6IqEPmDZCQ==";

export const edKey = {
  kty: "OKP",
  crv: "Ed25519",
  x: "QE7bBkcUGzX5Kea95nsOGibcWiVG9ZiRKPBgUlu7MTE",
};

export const rsaKey = {
  kty: "RSA",
  n: "nv1tqeNSGeGx1E8jNhrkM6LDtMJEhUDOA7L_PQnpFloDRhYdAO_2fFQJlJ_AJj9f3zDBPL_WO7DYAsALCdOA_qgvi7B_B3gaKQ7_sS8KMcFh0CNJRHFjEL6xBYWjCzcxWc0VYQ_rkobHXf_XDVTdTDbBlARybUXkAAmDNikCyqS_ZRVzy6nc8-9qjrFzXezLcxzn-l7FN3gvrNwSKgrLQujaRQq-1x6ZiBmekFo6UZ_KorAmeIE06a1OCHF0GylqTSURs_g_RlLstnG9dbWFyrNPf49lMNqvgGiDKumaS83126RHuwhi76AwYhBTRibHqWGARpoRu_KjvNn2kLBhDQ",
  e: "AQAB",
};

/** It has 2040 bits. */
export const weakRsaKey = {
  ...rsaKey,
  n: "ycHUtwt9Sg0_UKhGhflAUtdj4Img1g-CI-7S4cq1fLe9Q72ujvYhHMX38aATvx_t7J6uLpLzQbaj8poVvLe7YMQeaaAtn5Je87snQvAYtRtSAS21OKR3twVeD5o8bk-j3TrTyw-VmnRNeLkgJjloUUbQFZC9qwAMuQ5O4DzIfC5ZcGeX9gNtLKGGUZlXRo9FTUlrOlFbwvTOsC0zNr8KhPAXEWrLjw-4zHZYaySR2kchNI7FJfxvtKdQEAIfqgc9JRVSU51T28by9qgD6VSJvPcqd3_FxyhsWJBoe-r7uHIkdqEFGOhoWit9mkJQ12QIH65XtTWzX5vuhx-jAXTr",
};
