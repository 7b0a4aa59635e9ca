import type { Context } from "hono";
import { proofAlgorithms } from "../dpop/algorithms.ts";
import type { Confirmation } from "../oauth/confirmation.ts";
import type { Seconds } from "../oauth/duration.ts";
import { OAuthError } from "../oauth/errors.ts";
import { OPENID } from "../oauth/openid/scopes.ts";
import { isForm, readForm } from "../oauth/parameters.ts";
import type { Server } from "../oauth/server.ts";
import { boundCertificate, offerNonce, readProof } from "./possession.ts";
import { type AppEnv, type Endpoint, now } from "./endpoint.ts";

/**
 * The UserInfo endpoint (OpenID Connect Core section 5.3). It exists while the scope catalogue has `openid`. The
 * access token is the only credential, so pages of every origin may call it.
 */
const userInfoByGet: Endpoint = {
  path: "/userinfo",
  method: "GET",
  cors: true,
  needsScope: OPENID,

  metadata: ({ issuer }) => ({ userinfo_endpoint: `${issuer}/userinfo` }),

  async respond(c) {
    const server = await c.var.server();
    const { token, is_dpop } = await readAccessToken(c);
    const time = now();
    const proven = await readProven(
      c,
      server,
      is_dpop ? token : undefined,
      time,
    );
    // Loaded here, because no request for a token needs it.
    const { userInfo } = await import("../oauth/tokens/user-info.ts");
    const presented = { token, is_dpop, proven };
    return c.json(await userInfo(server, presented, time, c.var.log));
  },

  renderError(c, refusal) {
    const { status, details } = refusal;
    const answer = challengesFor(refusal, hasDpopScheme(c));
    return c.json(refusal.toJSON(), status, {
      ...details.headers,
      ...(answer !== undefined && { "WWW-Authenticate": answer }),
    });
  },
};

export const userInfoEndpoints: readonly Endpoint[] = [
  userInfoByGet,
  { ...userInfoByGet, method: "POST" },
];

/**
 * Reads the access token from the header (RFC 6750 section 2.1, RFC 9449 section 7.1) or from the form of a POST (RFC 6750
 * section 2.2). It is not read from the query, because URLs stand in logs.
 *
 * @throws OAuthError `access_token_missing`, `two_access_tokens`, `content_type_wrong` or `parameter_repeated`
 */
async function readAccessToken(
  c: Context<AppEnv>,
): Promise<{ token: string; is_dpop: boolean }> {
  const [, ofHeader] =
    /^(?:bearer|dpop) +(.+)$/i.exec(c.req.header("Authorization") ?? "") ?? [];
  const ofForm = await readFromForm(c, ofHeader !== undefined);
  if (ofHeader !== undefined && ofForm !== undefined)
    throw new OAuthError("two_access_tokens");
  const token = ofHeader ?? ofForm;
  if (token === undefined) throw new OAuthError("access_token_missing");
  return { token, is_dpop: ofHeader !== undefined && hasDpopScheme(c) };
}

function hasDpopScheme(c: Context<AppEnv>): boolean {
  return /^dpop(?: |$)/i.test(c.req.header("Authorization") ?? "");
}

/**
 * Reads what a request proves. With the scheme DPoP the answer has a fresh nonce, whatever the answer is (RFC 9449 section 9).
 *
 * @param token the access token, if it comes with the scheme DPoP
 * @throws OAuthError `access_token_proof_invalid` or `access_token_nonce_missing`
 */
async function readProven(
  c: Context<AppEnv>,
  server: Server,
  token: string | undefined,
  now: Seconds,
): Promise<Confirmation> {
  const certificate = await boundCertificate(c, server);
  if (token === undefined) return certificate;
  await offerNonce(c, server);
  const checked = (await readProof(c, "/userinfo", server, now, token)) ?? {
    problem: "there must be one in the header DPoP",
  };
  if ("problem" in checked)
    throw new OAuthError(
      checked.use_nonce
        ? "access_token_nonce_missing"
        : "access_token_proof_invalid",
      { subject: checked.problem },
    );
  return { ...certificate, jkt: checked.jkt };
}

/**
 * Reads the access token from the form of a POST.
 *
 * @param mayBeOther true: a body that is not a form is ignored, because the token is in the header
 */
async function readFromForm(
  c: Context<AppEnv>,
  mayBeOther: boolean,
): Promise<string | undefined> {
  if (c.req.method !== "POST") return undefined;
  const body = await c.req.arrayBuffer();
  const type = c.req.header("Content-Type");
  if (body.byteLength === 0) return undefined;
  if (mayBeOther && !isForm(type)) return undefined;
  return readForm(type, body, ["access_token"]).optional("access_token");
}

const realm = 'Bearer realm="baton/userinfo"';

/** The statuses that RFC 6750 section 3.1 has an error code for. */
const statuses: readonly number[] = [400, 401, 403];

/**
 * Returns the value of WWW-Authenticate for a refusal (RFC 6750 section 3, RFC 9449 section 7.1). Undefined: it has none.
 * Bearer is the first, because clients that know no other scheme look at the first.
 *
 * @param isDpop the request has the scheme DPoP, so that the error is in the challenge for it
 */
function challengesFor(
  refusal: OAuthError,
  isDpop: boolean,
): string | undefined {
  const { status } = refusal;
  if (!statuses.includes(status)) return undefined;
  const problem = problemOf(refusal);
  const bearer = [realm, ...(isDpop ? [] : problem)].join(", ");
  if (status !== 401 && !isDpop) return bearer;
  const algs = `algs="${proofAlgorithms.join(" ")}"`;
  return `${bearer}, DPoP ${[algs, ...(isDpop ? problem : [])].join(", ")}`;
}

/** Returns the parameters of a challenge that say what is wrong. */
function problemOf(refusal: OAuthError): string[] {
  // A request without a token is told no error.
  if (refusal.reason === "access_token_missing") return [];
  const { error, error_description } = refusal.toJSON();
  return [
    `error="${error}"`,
    `error_description="${error_description}"`,
    ...(error === "insufficient_scope" ? [`scope="${OPENID}"`] : []),
  ];
}
