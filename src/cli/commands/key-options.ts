import type { Command } from "commander";
import type { AuthenticationMethod } from "../../oauth/authentication-methods.ts";
import { Failure } from "../failure.ts";
import { certificateSubject } from "./certificate-subject.ts";
import { flagOf } from "./field-flags.ts";

/** The options by which a client proves a key, as commander names them. */
export interface KeyOptions {
  /** The path of a file, or `-`. */
  jwks?: string;
  jwksUri?: string;
  singleUseAssertions?: boolean;
  dpopBound?: boolean;
  certificateBound?: boolean;
  certificateSubject?: string;
  certificateDns?: string;
  certificateUri?: string;
  certificateIp?: string;
  certificateEmail?: string;
}

/** Adds the options. The server checks their values. */
export function addKeyOptions(command: Command): Command {
  return command
    .option(
      "--jwks <file>",
      "file with the public keys of the client, for private_key_jwt or self_signed_tls_client_auth: a JWK set, one JWK, or a public key or certificate in PEM; - for standard input",
    )
    .option(
      "--jwks-uri <url>",
      "https URL of the public keys of the client, which may change there",
    )
    .option(
      "--single-use-assertions",
      "accept each assertion of private_key_jwt for one request alone",
    )
    .option(
      "--no-single-use-assertions",
      "let an assertion come with several refreshes and codes; the default",
    )
    .option(
      "--dpop-bound",
      "give the client only tokens that are bound to its key: each request needs a DPoP proof",
    )
    .option(
      "--no-dpop-bound",
      "bind its tokens only if a request has a DPoP proof; the default",
    )
    .option(
      "--certificate-bound",
      "give the client only tokens that are bound to its client certificate",
    )
    .option(
      "--no-certificate-bound",
      "do not bind its tokens to a certificate; the default",
    )
    .option(
      "--certificate-subject <dn>",
      'subject of the client certificate for tls_client_auth, such as "CN=billing,O=Acme"',
    )
    .option(
      "--certificate-dns <name>",
      "DNS name in the client certificate, instead of its subject",
    )
    .option(
      "--certificate-uri <uri>",
      "URI in the client certificate, instead of its subject",
    )
    .option(
      "--certificate-ip <address>",
      "IP address in the client certificate, instead of its subject",
    )
    .option(
      "--certificate-email <address>",
      "e-mail address in the client certificate, instead of its subject",
    );
}

/**
 * The fields of the admin API for the options.
 *
 * @throws Failure if the file of `--jwks` or the name in `--certificate-subject` cannot be used
 */
export async function keyFields(options: KeyOptions) {
  return {
    jwks: await keysIn(options.jwks),
    jwks_uri: options.jwksUri,
    single_use_client_assertions: options.singleUseAssertions,
    dpop_bound_access_tokens: options.dpopBound,
    tls_client_certificate_bound_access_tokens: options.certificateBound,
    tls_client_auth_subject_dn:
      options.certificateSubject === undefined
        ? undefined
        : certificateSubject(options.certificateSubject),
    tls_client_auth_san_dns: options.certificateDns,
    tls_client_auth_san_uri: options.certificateUri,
    tls_client_auth_san_ip: options.certificateIp,
    tls_client_auth_san_email: options.certificateEmail,
  };
}

async function keysIn(path: string | undefined) {
  if (path === undefined) return undefined;
  const { readKeys } = await import("./key-file.ts");
  return readKeys(path);
}

/** Returns the methods that use a field of a client. Undefined: it does not depend on the method. */
function methodsOf(field: string): AuthenticationMethod[] | undefined {
  if (field === "jwks" || field === "jwks_uri")
    return ["private_key_jwt", "self_signed_tls_client_auth"];
  return field.startsWith("tls_client_auth_") ? ["tls_client_auth"] : undefined;
}

/** The fields to set that only some methods use, with these methods. */
export function fieldsOfMethods(fields: Record<string, unknown>) {
  return Object.entries(fields).flatMap(([field, value]) => {
    const methods = methodsOf(field);
    return methods && value !== null ? [{ field, methods }] : [];
  });
}

/**
 * Refuses a key or the name of a certificate that the client would not use, because it authenticates in another way.
 *
 * @param fields the fields to set
 * @param method the method that the client then has. Null or left out: a secret
 * @throws Failure with the method to add
 */
export function refuseUnusedKey(
  fields: Record<string, unknown>,
  method: unknown,
): void {
  const unused = fieldsOfMethods(fields).find(
    ({ methods }) => !methods.some((name) => name === method),
  );
  if (!unused) return;
  const {
    field,
    methods: [first, another],
  } = unused;
  const now =
    typeof method !== "string"
      ? "authenticates with a secret"
      : method === "none"
        ? "is public"
        : `has ${method}`;
  const other = another ? `, or ${another} if it has a certificate` : "";
  throw new Failure(
    `${flagOf("clients", field)} would not be used, because the client ${now}. Add --auth-method ${first}${other}. The client then has no secret.`,
  );
}
