import { decode, type Inspection, parseObject } from "./inspection.ts";

/** The encrypted JWTs of Baton (`src/oauth/encrypted-jwt.ts`), by `typ`. */
const encrypted: Record<string, { kind: string; about: string }> = {
  "baton-encrypted-code+jwt": {
    kind: "authorization_code",
    about:
      "An authorization code of Baton. It is good for 60 seconds and for one exchange. Its content is encrypted.",
  },
  "baton-encrypted-request+jwt": {
    kind: "authorization_request",
    about:
      "An authorization request of Baton, as the sign-in page gets it in the parameter `request`. It is good for 30 minutes. Its content is encrypted.",
  },
};

/** The signed JWTs of Baton with a grant in their `jti` (`src/oauth/keys.ts`), by `typ` in lower case. */
const signed = new Map([
  [
    "at+jwt",
    {
      kind: "access_token",
      about:
        "An access token (RFC 9068). The signature was not checked: anybody can write such claims.",
    },
  ],
  [
    "jwt",
    {
      kind: "id_token",
      about:
        "An ID token (OpenID Connect): it tells the app `aud` who signed in. An ID token gives access to nothing. The signature was not checked: anybody can write such claims.",
    },
  ],
]);

/** The signed JWTs that a client makes for each request, by `typ` in lower case. */
const proofs = new Map([
  [
    "dpop+jwt",
    {
      kind: "dpop_proof",
      about:
        "A DPoP proof (RFC 9449) of a client, for the one request that `htm` and `htu` name. A proof gives access to nothing without its token. The signature was not checked.",
    },
  ],
  [
    "client-authentication+jwt",
    {
      kind: "client_assertion",
      about:
        "A client assertion (RFC 7523): with it the client `sub` authenticates to the server `aud` by private_key_jwt, in place of a secret. The signature was not checked: the server does that with the public key of the client.",
    },
  ],
]);

/** Returns the key in `proofs`. Many libraries write `JWT` or nothing into the header of a client assertion. */
function typeOfProof(typ: string, { iss, sub, aud }: Claims): string {
  const isAssertion =
    ["jwt", "undefined"].includes(typ) &&
    typeof iss === "string" &&
    iss === sub &&
    aud !== undefined;
  return isAssertion ? "client-authentication+jwt" : typ;
}

type Claims = Record<string, unknown>;

const boundTo =
  "It is bound to the key or the client certificate whose thumbprint is in `cnf`: an API must refuse it without a proof of that.";

/** `jti` of an access token or an ID token: the id of its family, and a random part. */
const familyInJti = /^([\w-]{43})[.~]/;

/**
 * Reads a JWT (RFC 7519): signed (three parts), or encrypted (five), of which only the header can be read.
 *
 * @returns undefined if it is not a JWT
 */
export function readJwt(token: string, now: number): Inspection | undefined {
  const parts = token.split(".");
  const header = readPart(parts[0]);
  if (!header || !("alg" in header)) return undefined;
  if (parts.length === 5) return readEncrypted(header);
  const claims = readPart(parts[1]);
  return parts.length === 3 && claims
    ? readSigned(header, claims, now)
    : undefined;
}

function readEncrypted(header: Record<string, unknown>): Inspection {
  const { kind, about } = encrypted[String(header["typ"])] ?? {
    kind: "encrypted_jwt",
    about: "An encrypted JWT that Baton does not make.",
  };
  return { kind, about, verified: false, header };
}

function readSigned(
  header: Record<string, unknown>,
  claims: Claims,
  now: number,
): Inspection {
  // RFC 9068 section 2.1: the media type may be written in full.
  const typ = String(header["typ"]).toLowerCase().replace("application/", "");
  const { exp, jti } = claims;
  const family = familyInJti.exec(String(jti))?.[1];
  const grant_id = family && Buffer.from(decode(family) ?? []).toString("hex");
  // Many servers write `JWT` into every token.
  const isOurs = typ === "at+jwt" || grant_id !== undefined;
  const { kind, about } = (isOurs
    ? signed.get(typ)
    : proofs.get(typeOfProof(typ, claims))) ?? {
    kind: "signed_jwt",
    about:
      "A signed JWT, but neither an access token nor an ID token of Baton: `typ` in its header is not at+jwt, or its `jti` names no grant. The signature was not checked.",
  };
  const isBound = kind === "access_token" && "cnf" in claims;
  return {
    kind,
    about: isBound ? `${about} ${boundTo}` : about,
    verified: false,
    ...(typeof exp === "number" && { expired: exp <= now }),
    ...(isOurs && kind !== "signed_jwt" && grant_id && { grant_id }),
    header,
    claims,
  };
}

function readPart(part = ""): Record<string, unknown> | undefined {
  const bytes = decode(part);
  return bytes && parseObject(new TextDecoder().decode(bytes));
}
