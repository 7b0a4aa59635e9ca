import { beforeAll, describe, expect, inject, it } from "vitest";
import { newPem } from "../support/rotation.ts";
import { server, serverWith } from "../support/server.ts";

/** Tests the members of the server metadata about ID tokens (OpenID Connect Discovery section 3). */

async function metadata(variables: Record<string, string> = {}) {
  const at = serverWith(variables);
  const documents = await Promise.all(
    ["oauth-authorization-server", "openid-configuration"].map(async (name) =>
      (await at.http(`/.well-known/${name}`)).json<Record<string, unknown>>(),
    ),
  );
  expect(documents[1]).toEqual(documents[0]);
  return documents[0]!;
}

function keyFor(alg: string): string {
  return inject("testKeys").plain.find(([, , name]) => name === alg)![1];
}

describe("with openid in the scope catalogue", () => {
  beforeAll(() => server.makeScopes("openid", "email", "read"));

  it("both documents say what Baton's ID tokens are, and what they are not", async () => {
    expect(await metadata()).toMatchObject({
      id_token_signing_alg_values_supported: ["ES256"],
      subject_types_supported: ["public"],
      claims_supported: [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "acr",
        "amr",
        "sid",
        "email",
        "email_verified",
      ],
      claims_parameter_supported: false,
      request_parameter_supported: false,
      request_uri_parameter_supported: false,
    });
  });

  it("name the claims that a scope of the catalogue releases", async () => {
    const { claims_supported: before } = await metadata();
    await server.expectAdmin("PUT", "/scopes/read", { claims: ["team"] });
    expect(await metadata()).toMatchObject({
      claims_supported: [...(before as string[]), "team"],
    });
    await server.expectAdmin("PUT", "/scopes/read", { claims: null });
  });

  it.each(["ES256", "ES384", "EdDSA", "RS256", "PS256"])(
    "name the algorithm of a key for %s",
    async (alg) => {
      const { id_token_signing_alg_values_supported } = await metadata({
        PRIVATE_KEY: keyFor(alg),
      });
      expect(id_token_signing_alg_values_supported).toEqual([alg]);
    },
  );

  it("name the algorithm of a key before it signs, each algorithm once, and never none", async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const from = tomorrow.replace(/\.\d+/, "");
    const { id_token_signing_alg_values_supported } = await metadata({
      PRIVATE_KEY: newPem(),
      PRIVATE_KEY_OTHER: `from=2026-01-01T00:00:00Z;${newPem()}`,
      PRIVATE_KEY_LATER: `from=${from};${keyFor("RS256")}`,
    });
    expect(id_token_signing_alg_values_supported).toEqual(["RS256", "ES256"]);
  });
});
