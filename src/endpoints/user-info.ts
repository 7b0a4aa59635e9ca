import type { Context } from "hono";
import { OAuthError } from "../oauth/errors.ts";
import { OPENID } from "../oauth/openid/scopes.ts";
import { isForm, readForm } from "../oauth/parameters.ts";
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
    const token = await readAccessToken(c);
    // Loaded here, because no request for a token needs it.
    const { userInfo } = await import("../oauth/tokens/user-info.ts");
    return c.json(await userInfo(server, token, now(), c.var.log));
  },

  renderError(c, refusal) {
    const { status, details } = refusal;
    const answer = challengeFor(refusal);
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
 * Reads the access token from the header (RFC 6750 section 2.1) or from the form of a POST (section 2.2). It is not
 * read from the query, because URLs stand in logs.
 *
 * @throws OAuthError `access_token_missing`, `two_access_tokens`, `content_type_wrong` or `parameter_repeated`
 */
async function readAccessToken(c: Context<AppEnv>): Promise<string> {
  const [, ofHeader] =
    /^bearer +(.+)$/i.exec(c.req.header("Authorization") ?? "") ?? [];
  const ofForm = await readFromForm(c, ofHeader !== undefined);
  if (ofHeader !== undefined && ofForm !== undefined)
    throw new OAuthError("two_access_tokens");
  const token = ofHeader ?? ofForm;
  if (token === undefined) throw new OAuthError("access_token_missing");
  return token;
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

/** Returns the value of WWW-Authenticate for a refusal (RFC 6750 section 3). Undefined: it has none. */
function challengeFor(refusal: OAuthError): string | undefined {
  if (!statuses.includes(refusal.status)) return undefined;
  // A request without a token is told no error.
  if (refusal.reason === "access_token_missing") return realm;
  const { error, error_description } = refusal.toJSON();
  const scope = error === "insufficient_scope" ? `, scope="${OPENID}"` : "";
  return `${realm}, error="${error}", error_description="${error_description}"${scope}`;
}
