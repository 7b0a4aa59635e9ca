import { describe, expect, it } from "vitest";
import { serverWith } from "./support/server.ts";

/** Tests the variables of client certificates: what is wrong is named in /health. */

const on = { CLIENT_CERTIFICATES: "on" };
const origin = "https://mtls.auth.example.com";

const wrong: [name: string, set: Record<string, unknown>, problem: RegExp][] = [
  [
    "CLIENT_CERTIFICATES",
    { CLIENT_CERTIFICATES: "true" },
    /^must be on, or empty$/,
  ],
  ...[
    `${origin}/`,
    `${origin}/token`,
    `${origin}:443`,
    "https://user@mtls.auth.example.com",
    "mtls.auth.example.com",
    "https://MTLS.auth.example.com",
  ].map((value): (typeof wrong)[number] => [
    "MTLS_ENDPOINT_ORIGIN",
    { ...on, MTLS_ENDPOINT_ORIGIN: value },
    /^must be an origin without a path/,
  ]),
  ...["http://mtls.auth.example.com", "http://localhost:8787"].map(
    (value): (typeof wrong)[number] => [
      "MTLS_ENDPOINT_ORIGIN",
      { ...on, MTLS_ENDPOINT_ORIGIN: value },
      /^must begin with https:\/\/$/,
    ],
  ),
  [
    "MTLS_ENDPOINT_ORIGIN",
    { MTLS_ENDPOINT_ORIGIN: origin },
    /^needs CLIENT_CERTIFICATES = on/,
  ],
  [
    "ALLOWED_HOSTS",
    {
      ...on,
      MTLS_ENDPOINT_ORIGIN: origin,
      ALLOWED_HOSTS: "auth.example.com",
    },
    /^must contain the host name of MTLS_ENDPOINT_ORIGIN/,
  ],
];

describe("the configuration of client certificates", () => {
  it.each(wrong)(
    "that is wrong is named: %s in %o",
    async (name, set, problem) => {
      const health = await serverWith(set).health();
      expect([health.status, await health.json()]).toEqual([
        503,
        {
          status: "failing",
          problems: [
            { name, problem: expect.stringMatching(problem) as unknown },
          ],
        },
      ]);
    },
  );

  it.each<[Record<string, unknown>]>([
    [on],
    [{ CLIENT_CERTIFICATES: "", MTLS_ENDPOINT_ORIGIN: "" }],
    [{ ...on, MTLS_ENDPOINT_ORIGIN: origin }],
    [{ ...on, MTLS_ENDPOINT_ORIGIN: `${origin}:8443` }],
    [
      {
        ...on,
        MTLS_ENDPOINT_ORIGIN: origin,
        ALLOWED_HOSTS: "auth.example.com,mtls.auth.example.com",
      },
    ],
  ])("may be %o", async (set) => {
    const health = await serverWith(set).health();
    expect(await health.json()).toEqual({ status: "ok" });
  });
});
