import { hasKey } from "../oauth/confirmation.ts";
import { OAuthError } from "../oauth/errors.ts";
import { fingerprint } from "../oauth/fingerprint.ts";
import { identityOf } from "../oauth/login-attributes.ts";
import { digestResources } from "../oauth/resource-memory.ts";
import type { Catalogues } from "../oauth/entities.ts";
import {
  allowedFor,
  requestedScopeAndResource,
  resourcesInQuestion,
} from "../oauth/scope-and-resource.ts";
import {
  catchUpOf,
  lifetimesOf,
  refreshTokenExpiry,
  tokenExpiry,
} from "../oauth/lifetimes.ts";
import { hashFamilySecret } from "../oauth/tokens/refresh-token.ts";
import { keepRegistration } from "../oauth/self-registration/keep.ts";
import { kindOf, type PresentedToken } from "../oauth/token-kind.ts";
import { tokenResponse } from "../oauth/tokens/token-response.ts";
import type { Parameters } from "../oauth/parameters.ts";
import { digestAssertion } from "../oauth/family/assertions.ts";
import { askRefreshHook } from "../oauth/family/ask-refresh-hook.ts";
import { confirmExchange } from "../oauth/family/confirm-exchange.ts";
import type { ExchangeAttempt } from "../oauth/repositories.ts";
import type { Settings } from "../oauth/settings.ts";
import type { GrantRequest, GrantType } from "./grant-type.ts";

/** A time of zero length, in ISO 8601. */
const NEVER = "PT0S";

/** What is started while the client is looked up: nothing for a token that its kind verifies later. */
type RefreshAhead = {
  presented?: Promise<PresentedToken>;
  /** Read only for a token that is genuine and has not expired. Undefined: it was not read. */
  catalogues?: Promise<Catalogues | undefined>;
};

/**
 * Refreshes an access token (RFC 6749 section 6), with refresh token rotation (RFC 9700 section 4.14.2).
 *
 * Validate, prepare, commit, respond: everything that can fail for a reason of ours comes before the
 * exchange, which is the one step that changes anything.
 */
export const refreshTokenGrant: GrantType<"refresh_token", RefreshAhead> = {
  type: "refresh_token",
  parameters: ["refresh_token", "scope"],
  needsFreshClient({ tokenKinds }, parameters) {
    const token = tokenIn(parameters);
    const kind = tokenKinds.find((candidate) => candidate.recognises(token));
    return kind?.needsFreshClient ?? false;
  },

  readAhead({ tokenKinds, catalogues: stored }, { parameters, now }) {
    const token = tokenIn(parameters);
    const kind = tokenKinds.find((candidate) => candidate.recognises(token));
    const presented = kind?.verify?.(token);
    if (!presented) return {};
    const catalogues = async () =>
      now < (await presented).expires_at ? stored.find() : undefined;
    return { presented, catalogues: catalogues() };
  },

  async onUnproven({ families }, { now, log, client_id, reason }, started) {
    // A forged token is nobody's. One that has expired is of no use to anybody.
    const token = await started.presented?.catch(() => undefined);
    if (!token || now >= token.expires_at) return;
    // A stranger may send a token of his own with the id of any client, which must not look like a theft from that one.
    const family = await families.look(token.family_id);
    if (family?.login.client_id !== client_id) return;
    const lacksProof = reason === "proof_missing" || reason === "proof_invalid";
    if (lacksProof && !hasKey(family.login.cnf)) return;
    log.addEvent("refresh_token.stolen", {
      client_id,
      subject: family.login.subject,
      grant_id: families.grantIdOf(token.family_id),
      reason,
      generation: token.generation,
    });
  },

  async respond(server, request, started) {
    const { client, parameters, now, log, assertion } = request;
    const { network, userAgent } = request;
    const token = parameters.required("refresh_token");
    const kind = kindOf(server.tokenKinds, token);
    const presented = await (started.presented ??
      kind.present?.(token, { client, network, log }));
    if (!presented) throw new OAuthError("refresh_token_malformed");
    if (now >= presented.expires_at) throw expired(presented);

    const { family_id, family_secret, generation } = presented;
    log.begin("scopes");
    const catalogues =
      (await started.catalogues) ?? (await server.catalogues.find());
    const requested = requestedScopeAndResource(parameters);
    const allowed = allowedFor(client, catalogues);
    const lifetimes = lifetimesOf(client, server.settings);
    const { tokens_not_before } = client;
    const attempt = {
      ...identityOf(client),
      attempt_id: crypto.randomUUID(),
      generation,
      secret_hash: await hashFamilySecret(family_secret),
      requested,
      allowed,
      resource_digests: await digestResources(
        resourcesInQuestion(requested.resource, allowed),
        allowed.resource,
      ),
      now,
      successor_expires_at: refreshTokenExpiry(lifetimes, now),
      key_id: server.tokenKeySchedule.use(now).id,
      says_why_expired: true as const,
      origin: {
        network: fingerprint(network()),
        user_agent: fingerprint(userAgent()),
      },
      retry_window: lifetimes.refresh_token_retry_window,
      refresh_token_max_age: lifetimes.refresh_token_max_age,
      ...(tokens_not_before !== undefined && { tokens_not_before }),
      ...possessionOf(request, server.settings),
      ...(assertion && { assertion: await digestAssertion(assertion) }),
    };

    const { refreshHook } = server;
    const decided = refreshHook
      ? await askRefreshHook(server, refreshHook, family_id, attempt, log)
      : attempt;
    log.begin("family");
    const result = await presented.exchange(decided);
    const exchanged = await confirmExchange(result, attempt, {
      log,
      takeAssertion: request.takeAssertion,
      grantId: () => server.families.grantIdOf(family_id),
    });

    const { login, granted, expires_at, ends_at, key_id } = exchanged;
    const refreshToken = {
      family_id,
      generation: exchanged.generation,
      ...(exchanged.says_why_expired
        ? tokenExpiry(expires_at, ends_at)
        : { expires_at }),
      family_secret,
    };
    const newest = { refreshToken, ends_at, key_id };
    // The request has proven the login's keys, also one that the record has stopped asking for.
    const bound_to = login.cnf
      ? { ...request.bound_to, ...login.cnf }
      : request.bound_to;
    const kept = keepRegistration(server, client, now, false);
    if (kept) request.waitUntil(kept);
    log.begin("sign");
    return tokenResponse(
      server,
      { client, login, granted, newest, catalogues, bound_to },
      now,
    );
  },
};

/**
 * Makes the part of an attempt that is about keys. A refresh without a proof, of a client that does not authenticate by
 * a key, has none.
 */
function possessionOf(
  { client, proven, bound_to }: GrantRequest,
  settings: Settings,
): Pick<ExchangeAttempt, "proven" | "binds" | "catch_up"> {
  const catch_up = catchUpOf(client, settings);
  const isPublic = client.token_endpoint_auth_method === "none";
  return {
    ...(proven && { proven }),
    ...(isPublic && bound_to && { binds: bound_to }),
    ...((proven || catch_up.unbound !== NEVER) && { catch_up }),
  };
}

/** Makes the refusal of a token that has expired. */
function expired({ expires_because }: PresentedToken): OAuthError {
  if (expires_because === "login_ends") return new OAuthError("family_too_old");
  const subject = expires_because ?? "";
  return new OAuthError("refresh_token_expired", { subject });
}

/** Returns the refresh token of a request, or an empty text, which no kind recognises. */
function tokenIn(parameters: Parameters): string {
  return parameters.optional("refresh_token") ?? "";
}
