import { generateKeyPairSync } from "node:crypto";
import { env } from "cloudflare:workers";
import { describe, expect, inject, it } from "vitest";
import { serverWith } from "./support/server.ts";

/** Secrets of the server that anybody could guess are refused by name. */

const { smallRsaPems, smallRsaJwk } = inject("testKeys");
const ecJwk: object = generateKeyPairSync("ec", {
  namedCurve: "P-256",
}).privateKey.export({ format: "jwk" });
const { d: _, ...publicRsaJwk } = smallRsaJwk as { d?: string };
const random = () => crypto.getRandomValues(new Uint8Array(32)).toBase64();
const repeated = (byte: number) => new Uint8Array(32).fill(byte).toBase64();

const guessable: [string, string, string, RegExp][] = [
  ["of 16 equal characters", "ADMIN_TOKEN", "a".repeat(16), /one repeated/],
  ["of 64 equal characters", "ADMIN_TOKEN", "0".repeat(64), /one repeated/],
  ["of 15 characters", "ADMIN_TOKEN", "abcdefghijklmno", /16 characters/],
  ["of zero bytes", "ENCRYPTION_KEY", repeated(0), /one repeated byte/],
  ["of one repeated byte", "ENCRYPTION_KEY", repeated(255), /one repeated/],
  [
    "of zero bytes after a good one",
    "ENCRYPTION_KEY",
    `${random()},${repeated(0)}`,
    /one repeated byte/,
  ],
  ...smallRsaPems.map(
    ([form, pem]) =>
      [form, "PRIVATE_KEY", pem, /2048 bits/] satisfies [
        string,
        string,
        string,
        RegExp,
      ],
  ),
  ...(
    [
      ["that is a JWK for RS256 of 1,024 bits", { alg: "RS256" }],
      ["that is a JWK for PS256 of 1,024 bits", { alg: "PS256" }],
      ["that is a JWK of 1,024 bits without an algorithm", {}],
    ] as const
  ).map(
    ([form, more]) =>
      [
        form,
        "PRIVATE_KEY",
        JSON.stringify({ ...smallRsaJwk, ...more }),
        /2048 bits/,
      ] satisfies [string, string, string, RegExp],
  ),
  [
    "that is a JWK set whose second key has 1,024 bits",
    "PRIVATE_KEY",
    JSON.stringify({ keys: [ecJwk, smallRsaJwk] }),
    /2048 bits/,
  ],
  [
    "that is a JWK set whose second key is a public one of 1,024 bits",
    "PRIVATE_KEY",
    JSON.stringify({ keys: [ecJwk, publicRsaJwk] }),
    /2048 bits/,
  ],
];

describe("a secret of the server", () => {
  it.each(guessable)(
    "%s is refused in %s, and named",
    async (_form, name, value, problem) => {
      const token = name === "ADMIN_TOKEN" ? value : env.ADMIN_TOKEN;
      const health = await serverWith({ [name]: value }).health(token);
      expect(health.status).toBe(503);
      const { problems } = await health.json<{ problems: object[] }>();
      expect(problems).toEqual([
        { name, problem: expect.stringMatching(problem) },
      ]);
      expect(JSON.stringify(problems)).not.toContain(value);
    },
  );
});
