import type { Session } from "./session.ts";

/** What the login says about every user of these records. `auth_time` is left to the caller. */
export const person = {
  acr: "urn:example:two-factors",
  amr: ["pwd", "otp"],
  claims: { roles: ["editor"] },
  id_token_claims: { name: "Ivy Ngo", tier: "gold", email: "ivy@example.com" },
  userinfo: { nickname: "ivy" },
};

export const SIGNED_OUT_URI = "https://app.example.com/signed-out";
export const LOGOUT_URI = "https://tells.example.com/logout";

/** Makes the scopes and the clients of the records of OpenID Connect. */
export async function makeOpenIdClients(baton: Session): Promise<void> {
  await baton.expectAdmin("PUT", "/scopes/openid", {});
  await baton.expectAdmin("PUT", "/scopes/profile", {});
  await baton.expectAdmin("PUT", "/scopes/membership", {
    description: "What you have paid for",
    claims: ["tier"],
  });
  const scope = "openid profile membership";
  await baton.makeClient("portal", {
    scope,
    post_logout_redirect_uris: [SIGNED_OUT_URI],
  });
  await baton.makeClient("tells", {
    scope,
    backchannel_logout_uri: LOGOUT_URI,
  });
}

/** Makes the server store what belongs to OpenID Connect. @returns what is in flight */
export async function makeOpenIdRecords(
  baton: Session,
): Promise<Record<string, string>> {
  await makeOpenIdClients(baton);
  const auth_time = Math.floor(Date.now() / 1000);
  const claims = { ...person, auth_time };

  // The end of this login is still to be told, because nobody is at the address. It comes first, so that the object
  // has tried when the records are read.
  const endsBadly = await baton.login("tells", "kim", {
    ...claims,
    sid: "session of kim",
  });
  const grant_of_kim = grantOf(endsBadly.id_token);
  await baton.expectAdmin("DELETE", `/grants/${grant_of_kim}`);

  const ivy = await baton.expectRedeem(
    "portal",
    await baton.codeFor("portal", "ivy", {
      claims: { ...claims, sid: "session of ivy" },
    }),
  );
  const judy = await baton.login("portal", "judy", {
    ...claims,
    sid: "session of judy",
  });

  // Two logins of one session. The sign-out ends the first at once, and the other when the login has answered.
  const ofSession = { ...claims, sid: "session of leo" };
  const first = await baton.login("portal", "leo", ofSession);
  const other = await baton.login("portal", "leo", ofSession);
  const logout = await baton.signOut(first.id_token, {
    post_logout_redirect_uri: SIGNED_OUT_URI,
    state: "bye",
  });

  return {
    grant_of_kim,
    openid_access: ivy.access_token,
    openid_id_token: ivy.id_token,
    openid_refresh: ivy.refresh_token,
    openid_refresh_of_grant: judy.refresh_token,
    openid_refresh_signed_out: first.refresh_token,
    openid_refresh_of_session: other.refresh_token,
    openid_logout: logout,
    openid_request: await baton.authorize("portal", {
      nonce: "the nonce of the request",
      max_age: "3600",
      id_token_hint: ivy.id_token,
    }),
    openid_code: await baton.codeFor("portal", "ivy", {
      nonce: "the nonce of the code",
      claims: { ...claims, sid: "another session of ivy" },
    }),
  };
}

/** Reads what a token of the server says. Nothing is verified. */
export function contentOf(token: string): Record<string, unknown> {
  const [, payload = ""] = token.split(".");
  const text = Buffer.from(payload, "base64url").toString();
  return JSON.parse(text) as Record<string, unknown>;
}

/** Returns the id of the login of a token, as the admin API has it. */
export function grantOf(token: string): string {
  const [family = ""] = String(contentOf(token)["jti"]).split(/[.~]/);
  return Buffer.from(family, "base64url").toString("hex");
}
