import * as base64url from "jose/base64url";
import type { AuthorizationCode } from "../oauth/authorization/code.ts";
import { type Confirmation, isConfirmed } from "../oauth/confirmation.ts";
import type { Catalogues, Client } from "../oauth/entities.ts";
import { throwIfRefused, OAuthError, type Reason } from "../oauth/errors.ts";
import { digestAssertion } from "../oauth/family/assertions.ts";
import { identityOf, isSameClient } from "../oauth/login-attributes.ts";
import {
  digestResources,
  rememberedResources,
} from "../oauth/resource-memory.ts";
import {
  allowedFor,
  finalizeScopeAndResource,
  resourcesInQuestion,
} from "../oauth/scope-and-resource.ts";
import type { Parameters } from "../oauth/parameters.ts";
import {
  requiresPkce,
  verifyCodeVerifier,
} from "../oauth/authorization/pkce.ts";
import { isSameRedirectUri } from "../oauth/redirect-uri.ts";
import { keepRegistration } from "../oauth/self-registration/keep.ts";
import { startFamily } from "../oauth/tokens/start-family.ts";
import { clientForToken } from "../oauth/tokens/token-target.ts";
import { tokenResponse } from "../oauth/tokens/token-response.ts";
import type { GrantType } from "./grant-type.ts";

/** Loads what no refresh needs. */
const loadCode = () => import("../oauth/authorization/code.ts");

/** What is started while the client is looked up. */
type CodeAhead = {
  /** The code, or the reason why it is not valid. */
  code: Promise<AuthorizationCode | Reason>;
  /** Read only for a code that is valid. Else they are empty. */
  catalogues: Promise<Catalogues>;
};

/**
 * Redeems an authorization code (RFC 6749 section 4.1.3), with PKCE (RFC 7636 section 4.5).
 *
 * Everything that the code is bound to is checked at the edge, so that somebody who has stolen a code without
 * its verifier cannot use it up. Beginning the family is the one step that changes anything.
 */
export const authorizationCodeGrant: GrantType<
  "authorization_code",
  CodeAhead
> = {
  type: "authorization_code",
  isOn: ({ login_url }) => login_url !== undefined,
  parameters: ["code", "redirect_uri", "code_verifier"],
  needsFreshClient: () => true,

  readAhead({ catalogues: stored }, { parameters, now }, complete) {
    const read = async () => {
      const { readCode } = await loadCode();
      return readCode(await complete(), parameters.optional("code") ?? "", now);
    };
    const code = read();
    const catalogues = async () =>
      typeof (await code) === "string"
        ? { scopes: {}, resources: {} }
        : stored.findAgain();
    return { code, catalogues: catalogues() };
  },

  async respond(server, request, started) {
    const { client, parameters, now, log } = request;
    const { proven, bound_to, proof_id, assertion } = request;
    parameters.required("code");
    const code = await started.code;
    if (typeof code === "string") throw new OAuthError(code);
    await checkBinding(code, client, parameters);
    // RFC 9449 section 10.
    if (code.login.cnf && !isConfirmed(code.login.cnf, proven))
      throw new OAuthError("authorization_code_of_another_key");

    log.begin("scopes");
    const catalogues = await started.catalogues;
    const { login, nonce } = code;
    const requested = {
      scope: undefined,
      resource: parameters.all("resource"),
    };
    const allowed = allowedFor(client, catalogues);
    const digests = await digestResources(
      resourcesInQuestion(requested.resource, allowed),
      allowed.resource,
    );
    const granted = throwIfRefused(
      finalizeScopeAndResource(requested, login, {
        ...allowed,
        resource: rememberedResources(allowed.resource, login, digests),
      }),
    );

    log.begin("family");
    const family_id = base64url.decode(code.family_id);
    const issuing = await clientForToken(
      server,
      { client, login, granted, catalogues },
      now,
    );
    const newest = await startFamily(server, issuing, login, now, bound_to, {
      family_id,
      code_id: code.code_id,
      authorized_at_ms: code.authorized_at_ms,
      redeemable_until: code.redeemable_until,
      ...(proof_id !== undefined && {
        proof_digest: await digestOfProof(proof_id, proven),
      }),
      ...(assertion && {
        assertion_digest: (await digestAssertion(assertion)).digest,
      }),
    }).catch((error: unknown) => {
      if (isReuse(error)) {
        const grant_id = server.families.grantIdOf(family_id);
        const { subject } = login;
        log.addEvent("authorization_code.reused", { subject, grant_id });
      }
      throw error;
    });
    const kept = keepRegistration(server, client, now, true);
    if (kept) request.waitUntil(kept);
    log.begin("sign");
    return tokenResponse(
      server,
      { client, login, granted, newest, catalogues, bound_to, nonce },
      now,
    );
  },
};

function isReuse(error: unknown): boolean {
  return (
    error instanceof OAuthError && error.reason === "authorization_code_reused"
  );
}

/** Makes a digest that tells the proof of a request from every other one. It says nothing about the proof. */
async function digestOfProof(
  proofId: string,
  proven: Confirmation | undefined,
): Promise<string> {
  const bytes = new TextEncoder().encode(`${proven?.jkt} ${proofId}`);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return base64url.encode(new Uint8Array(digest));
}

/**
 * Checks that the code is the client's, for the redirect URI, and presented with the verifier of its request.
 * With PKCE the redirect URI may be left out (OAuth 2.1 draft section 10.2), because the verifier shows that the
 * client has made the authorization request. Without PKCE only the redirect URI is left to check.
 *
 * @throws OAuthError
 */
async function checkBinding(
  code: AuthorizationCode,
  client: Client,
  parameters: Parameters,
): Promise<void> {
  if (!isSameClient(code.login, identityOf(client)))
    throw new OAuthError("authorization_code_of_another_client");

  const { code_challenge } = code;
  // The record may have changed since the authorization request.
  if (code_challenge === undefined && requiresPkce(client))
    throw new OAuthError("authorization_code_without_challenge");

  const redirectUri =
    code_challenge === undefined
      ? parameters.required("redirect_uri")
      : parameters.optional("redirect_uri");
  if (
    redirectUri !== undefined &&
    !isSameRedirectUri(redirectUri, code.redirect_uri)
  )
    throw new OAuthError("redirect_uri_differs");

  if (code_challenge === undefined) {
    // Somebody may have removed the challenge from the authorization request (RFC 9700 section 4.8.2).
    if (parameters.optional("code_verifier") !== undefined)
      throw new OAuthError("code_verifier_unexpected");
    return;
  }
  const verifier = parameters.required("code_verifier");
  if (!(await verifyCodeVerifier(verifier, code_challenge)))
    throw new OAuthError("code_verifier_wrong");
}
