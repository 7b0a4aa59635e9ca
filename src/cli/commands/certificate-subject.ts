import { normalizedName } from "../../oauth/distinguished-name.ts";
import { Failure } from "../failure.ts";

const advice =
  "Give the subject as `openssl x509 -in client.crt -noout -subject -nameopt RFC2253` prints it (RFC 4514), such as CN=billing,O=Acme.";

/**
 * Reads the subject of a certificate, also with `subject=` before it, as OpenSSL prints it.
 *
 * @throws Failure if it is not a name, or if its parts are in the order of the certificate
 */
export function certificateSubject(typed: string): string {
  const name = typed.replace(/^\s*subject\s*[=:]\s*/i, "").trim();
  const isPrinted = name !== typed.trim() || /[^\\] = /.test(name);
  if (normalizedName(name) === undefined || /= *"/.test(name))
    throw new Failure(
      `--certificate-subject is not a distinguished name. ${advice}`,
    );
  // Without -nameopt, OpenSSL puts a space behind each comma, and begins with the part with which RFC 4514 ends.
  if (isPrinted && /[^\\], /.test(name))
    throw new Failure(
      `--certificate-subject has its parts in the order of the certificate, and RFC 4514 has the other one. ${advice}`,
    );
  return name;
}
