import { makeOpenIdRecords } from "./scenario-openid.ts";
import type { Session } from "./session.ts";
import { leagueToken } from "./test-keys.ts";

/** The names in `in_flight` of records.json. */
export type InFlight = Record<string, string>;

/**
 * Makes the server store a record of every kind that it has, with real requests.
 *
 * @returns the tokens, codes and requests that are in flight
 */
export async function makeEveryRecord(baton: Session): Promise<InFlight> {
  const can = await abilitiesOf(baton);
  for (const scope of ["read", "write"])
    await baton.expectAdmin("PUT", `/scopes/${scope}`, {
      description: `May ${scope}`,
    });
  const inFlight: InFlight = {};

  await baton.makeClient("web", {
    client_name: "The web application",
    resources: ["https://api.example.com"],
  });
  await baton.makeClient("patient", { refresh_token_retry_window: "PT1H" });
  await baton.makeClient("app");
  await baton.makeClient("machine", {
    grant_types: ["client_credentials"],
    redirect_uris: [],
  });
  await baton.makeClient("api", {
    grant_types: [],
    redirect_uris: [],
    scope: "",
    resource_server: "https://api.example.com",
  });
  await baton.makeClient("no-secret-yet", { client_secret: null });
  await baton.makeClient("every-field", {
    token_endpoint_auth_method: "client_secret_post",
    require_pkce: false,
    access_token_ttl: "PT5M",
    refresh_token_ttl: "P10D",
    refresh_token_max_age: "P90D",
    refresh_token_retry_window: "PT10S",
    access_token_format: "league",
    ...(can.signOut && {
      post_logout_redirect_uris: ["https://app.example.com/signed-out"],
      backchannel_logout_uri: "https://app.example.com/logout",
      backchannel_logout_session_required: true,
    }),
  });
  await baton.makeClient("demo");

  await baton.makeClient("rotated");
  const { client_secret } = await baton.expectAdmin<{ client_secret: string }>(
    "POST",
    "/clients/rotated/secrets",
    { old_secret_ttl: "P50Y" },
  );
  inFlight["new_secret_of_rotated"] = client_secret;

  const alice = await baton.login("web", "alice");
  inFlight["refresh"] = alice.refresh_token;
  inFlight["access"] = alice.access_token;
  const { refresh_token: used } = await baton.login("web", "alice");
  inFlight["refresh_used"] = used;
  inFlight["refresh_after_used"] = (
    await baton.expectRefresh("web", used)
  ).refresh_token;
  const { refresh_token: retried } = await baton.login("patient", "alice");
  inFlight["refresh_to_retry"] = retried;
  inFlight["refresh_after_retry"] = (
    await baton.expectRefresh("patient", retried)
  ).refresh_token;

  const own = await baton.ownToken("machine");
  inFlight["access_of_machine"] = String(own.body["access_token"]);

  // Ended by a revocation, and ended by the return of a used code's login.
  const revoked = await baton.login("web", "carol");
  inFlight["refresh_revoked"] = revoked.refresh_token;
  await baton.revoke("web", revoked.refresh_token);
  const dave = await baton.expectRedeem(
    "app",
    await baton.codeFor("app", "dave"),
  );
  inFlight["refresh_of_code_revoked"] = dave.refresh_token;
  await baton.revoke("app", dave.refresh_token);

  const loggedOut = await baton.codeFor("app", "bob");
  await baton.login("web", "bob");
  await baton.expectAdmin("DELETE", "/subjects/bob/grants");
  inFlight["code_before_logout"] = loggedOut;

  const old = leagueToken(0);
  inFlight["refresh_after_league"] = (
    await baton.expectRefresh("demo", old.refresh_token)
  ).refresh_token;
  const { refresh_token_id, expire_time } = leagueToken(1).payload;
  await baton.expectAdmin("POST", "/league/revoked-tokens", {
    tokens: [{ refresh_token_id, expires_at: expire_time }],
  });

  await baton.makeClient("ended");
  inFlight["refresh_before_end"] = (
    await baton.login("ended", "erin")
  ).refresh_token;
  await baton.expectAdmin("PATCH", "/clients/ended", {
    tokens_not_before: "now",
  });
  if (can.disable) {
    await baton.makeClient("disabled");
    inFlight["refresh_of_disabled"] = (
      await baton.login("disabled", "frank")
    ).refresh_token;
    await baton.expectAdmin("PATCH", "/clients/disabled", { disabled: true });
  }
  await baton.makeClient("deleted");
  inFlight["refresh_of_deleted"] = (
    await baton.login("deleted", "grace")
  ).refresh_token;
  await baton.expectAdmin("DELETE", "/clients/deleted");

  if (can.makeAdminTokens) {
    const { token } = await baton.expectAdmin<{ token: string }>(
      "POST",
      "/tokens",
      { name: "operator-of-test", role: "operator" },
    );
    inFlight["admin_token"] = token;
    await baton.expectAdmin("POST", "/tokens", {
      name: "reader-of-test",
      role: "read",
      expires_in: "P50Y",
    });
  }

  if (can.signOut) Object.assign(inFlight, await makeOpenIdRecords(baton));

  // Last, because a code is good for a minute.
  const signedIn = await baton.expectRedeem(
    "app",
    await baton.codeFor("app", "alice"),
  );
  inFlight["refresh_of_app"] = signedIn.refresh_token;
  inFlight["request"] = await baton.authorize("app");
  inFlight["code"] = await baton.codeFor("web", "alice");
  return inFlight;
}

/** Finds what the server can do, so that a Worker from before a feature makes the other records. */
export async function abilitiesOf(baton: Session) {
  const document = JSON.stringify(
    await baton.expectAdmin("GET", "/openapi.json"),
  );
  return {
    makeAdminTokens: document.includes('"/admin/tokens"'),
    disable: document.includes('"disabled"'),
    signOut: document.includes('"backchannel_logout_uri"'),
    proveKeys: document.includes('"dpop_bound_access_tokens"'),
    meetAgents: document.includes('"registered_by"'),
  };
}
