import { describe, expect, it } from "vitest";
import { protectedResource } from "../../src/resource/index.ts";
import { authInfoOf, needsScope } from "../../src/resource/mcp.ts";
import { ISSUER, METADATA_URL, RESOURCE } from "./issuer.ts";

/** Tests what the MCP SDK gets of a token. `test/mcp/` has the SDK itself. */

describe("authInfoOf", () => {
  it("says in the words of the SDK what is in a token, and where the metadata is", () => {
    const notes = protectedResource({ resource: RESOURCE, issuer: ISSUER });
    const token = {
      token: "a.b.c",
      sub: "alice",
      client_id: "agent",
      scopes: ["notes:read"],
      exp: 4_102_444_800,
      claims: { roles: ["editor"] },
    };
    expect(authInfoOf(notes, token)).toEqual({
      token: "a.b.c",
      clientId: "agent",
      scopes: ["notes:read"],
      expiresAt: 4_102_444_800,
      resourceMetadataUrl: METADATA_URL,
      extra: { sub: "alice", claims: { roles: ["editor"] } },
    });
  });
});

describe("needsScope", () => {
  const challenge = needsScope("notes:write notes:share");

  it("asks for nothing if the token has all scopes", () => {
    const scopes = ["notes:share", "notes:read", "notes:write"];
    expect(challenge({ authInfo: { scopes } })).toBeUndefined();
  });

  it("asks for what the token has and what is missing", () => {
    const scopes = ["notes:read", "notes:write"];
    expect(challenge({ authInfo: { scopes } })).toEqual({
      scopes: ["notes:read", "notes:write", "notes:share"],
    });
  });

  it("asks for its scopes if nobody has checked a token", () => {
    expect(challenge({})).toEqual({ scopes: ["notes:write", "notes:share"] });
  });
});
