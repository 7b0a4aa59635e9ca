import { Failure } from "../failure.ts";

/** The end of an error about a subject. */
export const subjectAdvice =
  "Give it as `openssl x509 -in client.crt -noout -subject -nameopt RFC2253` prints it";

/**
 * Reads the subject of a certificate, also with `subject=` before it, as OpenSSL prints it. The server checks the name.
 *
 * @throws Failure if its parts are in the order of the certificate
 */
export function certificateSubject(typed: string): string {
  const name = typed.replace(/^\s*subject\s*[=:]\s*/i, "").trim();
  const isPrinted = name !== typed.trim() || /[^\\] = /.test(name);
  // Without -nameopt, OpenSSL puts a space behind each comma, and begins with the part with which RFC 4514 ends.
  if (isPrinted && /[^\\], /.test(name))
    throw new Failure(
      `--certificate-subject has its parts in the order of the certificate, and RFC 4514 has the other one. ${subjectAdvice}.`,
    );
  return name;
}
