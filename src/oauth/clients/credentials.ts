import type { AuthenticationMethod } from "../authentication-methods.ts";
import { isClientId } from "../client-metadata.ts";
import type { Seconds } from "../duration.ts";
import { OAuthError, type Reason } from "../errors.ts";
import type { Parameters } from "../parameters.ts";
import type { ReadAssertion } from "./assertion.ts";

/** The parameters of client authentication (RFC 6749 section 2.3.1, RFC 7521 section 4.2). */
export const authenticationParameters = [
  "client_id",
  "client_secret",
  "client_assertion_type",
  "client_assertion",
] as const;

/** RFC 7523 section 2.2. */
const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** The most characters of Basic credentials: as many as a body may have (16 KiB, `endpoints/body.ts`). */
const MAX_BASIC_CHARACTERS = 16 * 1024;

/** A client id, and the secret that is presented with it. */
export interface Pair {
  clientId: string;
  /** Empty if the method is `none`. */
  secret: string;
}

/** The credentials of a request. */
export interface Credentials {
  method: AuthenticationMethod;
  /**
   * The readings of the request, the one by the letter first. Only Basic may have a second one. Each of them
   * that is tried is a guess.
   */
  pairs: [Pair, ...Pair[]];
  /** Only of `private_key_jwt`. */
  assertion?: ReadAssertion;
}

/**
 * Reads the credentials of a request.
 *
 * @param basic what stands behind `Basic` in the header Authorization. Undefined: the request did not try Basic
 * @returns the credentials, or the reason why there are none
 * @throws OAuthError `two_authentication_methods` or `two_client_ids`
 */
export function readCredentials(
  basic: string | undefined,
  parameters: Parameters,
): Credentials | Reason {
  return basic === undefined
    ? readBody(parameters)
    : readBasic(basic, parameters);
}

function readBody(parameters: Parameters): Credentials | Reason {
  const clientId = parameters.optional("client_id");
  const secret = parameters.optional("client_secret");
  if (clientId === undefined) return "client_id_missing";
  return secret === undefined
    ? { method: "none", pairs: [{ clientId, secret: "" }] }
    : { method: "client_secret_post", pairs: [{ clientId, secret }] };
}

/** Tells whether a request has an assertion, or a part of one. */
export function hasAssertion(parameters: Parameters): boolean {
  return (
    parameters.optional("client_assertion") !== undefined ||
    parameters.optional("client_assertion_type") !== undefined
  );
}

/**
 * Reads the credentials of a request with an assertion (RFC 7521 section 4.2). `client_id` may be left out.
 *
 * @param basic as of `readCredentials`
 * @returns the credentials, or the reason why there are none
 * @throws OAuthError `two_authentication_methods` or `two_client_ids`
 */
export async function readAssertionCredentials(
  basic: string | undefined,
  parameters: Parameters,
  issuer: string,
  now: Seconds,
): Promise<Credentials | Reason> {
  if (basic !== undefined || parameters.optional("client_secret") !== undefined)
    throw new OAuthError("two_authentication_methods");
  if (parameters.optional("client_assertion_type") !== ASSERTION_TYPE)
    return "client_assertion_type_unknown";
  const { readAssertion } = await import("./assertion.ts");
  const text = parameters.optional("client_assertion") ?? "";
  const assertion = readAssertion(text, issuer, now);
  const idInBody = parameters.optional("client_id");
  const clientId = idInBody ?? assertion.sub;
  if (clientId === undefined) return "client_assertion_malformed";
  if (clientId !== (assertion.sub ?? clientId))
    throw new OAuthError("two_client_ids");
  const pairs: Credentials["pairs"] = [{ clientId, secret: "" }];
  return { method: "private_key_jwt", pairs, assertion };
}

/**
 * Reads Basic credentials. An empty password is not a secret, because libraries send Basic for public clients too.
 */
function readBasic(
  encoded: string,
  parameters: Parameters,
): Credentials | Reason {
  if (parameters.optional("client_secret") !== undefined)
    throw new OAuthError("two_authentication_methods");
  const pair = decodeBase64(encoded);
  if (!pair) return "basic_credentials_malformed";
  const method = pair.secret === "" ? "none" : "client_secret_basic";
  const readings = readingsOf(pair);
  const idInBody = parameters.optional("client_id");
  const [first, ...others] = readings.filter(
    ({ clientId }) => idInBody === undefined || clientId === idInBody,
  );
  if (!first) throw new OAuthError("two_client_ids");
  return { method, pairs: [first, ...others] };
}

/** Decodes a pair as RFC 7617 section 2 joins it. Undefined: it is malformed. */
function decodeBase64(encoded: string): Pair | undefined {
  if (encoded.length > MAX_BASIC_CHARACTERS) return undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) =>
      character.charCodeAt(0),
    );
    const text = new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: true,
    }).decode(bytes);
    const colon = text.indexOf(":");
    if (colon < 1) return undefined;
    return { clientId: text.slice(0, colon), secret: text.slice(colon + 1) };
  } catch {
    // Not base64, or not UTF-8.
    return undefined;
  }
}

/**
 * Returns the readings of a Basic pair: form-decoded (RFC 6749 section 2.3.1), and as it stands, because
 * `curl -u` and many libraries do not encode. They are one if both are the same. A reading whose id no client
 * can have is left out, unless there is no other.
 */
function readingsOf(pair: Pair): Pair[] {
  const decoded = formDecodePair(pair);
  if (!decoded) return [pair];
  const isSame =
    decoded.clientId === pair.clientId && decoded.secret === pair.secret;
  if (isSame || !isClientId(pair.clientId)) return [decoded];
  return isClientId(decoded.clientId) ? [decoded, pair] : [pair];
}

/** Undefined: the pair has a stray percent sign, so it was not form-encoded. */
function formDecodePair({ clientId, secret }: Pair): Pair | undefined {
  try {
    return { clientId: formDecode(clientId), secret: formDecode(secret) };
  } catch {
    return undefined;
  }
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}
