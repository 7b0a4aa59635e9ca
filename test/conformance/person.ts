/** The scopes of OpenID Connect that the tests use, beside those of the API. */
export const openIdScopes = ["openid", "profile", "email"];

/** What the login says of alice, who signed in just now: the fields beside `scope` of a decision or a grant. */
export function alice() {
  return {
    subject: "alice",
    auth_time: Math.floor(Date.now() / 1000),
    acr: "urn:example:two-factors",
    amr: ["pwd", "otp"],
    id_token_claims: {
      name: "Alice Liddell",
      email: "alice@example.com",
      email_verified: true,
    },
    userinfo: { picture: "https://login.example.com/alice.png" },
  };
}
