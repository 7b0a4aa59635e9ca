import { describe, expect, it } from "vitest";
import { serverWith } from "./support/server.ts";

/** Tests the variables of clients that nobody has registered by hand: what is wrong is named in /health. */

const perDay = "must be a whole number from 1 to 1000000";
const hosts = { CLIENT_ID_METADATA_DOCUMENTS: "on" };

const wrong: [name: string, set: Record<string, unknown>, problem: RegExp][] = [
  ...["on", "Open", "token,open", "true"].map(
    (value): (typeof wrong)[number] => [
      "DYNAMIC_REGISTRATION",
      { DYNAMIC_REGISTRATION: value },
      /^must be open or token, or empty$/,
    ],
  ),
  ...["0", "-1", "1.5", "1e3", "01", "1000001", "10000000", "many"].map(
    (value): (typeof wrong)[number] => [
      "REGISTRATIONS_PER_DAY",
      { REGISTRATIONS_PER_DAY: value },
      new RegExp(`^${perDay}$`),
    ],
  ),
  [
    "REGISTRATIONS_PER_DAY",
    { REGISTRATIONS_PER_DAY: 10 },
    /^must be a string$/,
  ],
  ...["90", "P", "PT0S", "P200Y"].map((value): (typeof wrong)[number] => [
    "REGISTRATION_IDLE_TTL",
    { REGISTRATION_IDLE_TTL: value },
    /^must be /,
  ]),
  ...[{ DYNAMIC_REGISTRATION: "open" }, hosts].map(
    (on): (typeof wrong)[number] => [
      "REGISTRATION_IDLE_TTL",
      { ...on, REGISTRATION_IDLE_TTL: "P29D", REFRESH_TOKEN_TTL: "P1M" },
      /^is shorter than REFRESH_TOKEN_TTL/,
    ],
  ),
  [
    "CLIENT_ID_METADATA_DOCUMENTS",
    { CLIENT_ID_METADATA_DOCUMENTS: "true" },
    /^must be on, or empty$/,
  ],
  ...["CLIENT_ID_METADATA_HOSTS", "CLIENT_ID_METADATA_DENIED_HOSTS"].flatMap(
    (name) =>
      ["https://agent.example", "agent.example/x", "agent.example:443"].map(
        (value): (typeof wrong)[number] => [
          name,
          { ...hosts, [name]: value },
          /./,
        ],
      ),
  ),
  [
    "OFFLINE_ACCESS_REQUIRED",
    { OFFLINE_ACCESS_REQUIRED: "yes" },
    /^must be on, or empty$/,
  ],
];

describe("the configuration of self-registration", () => {
  it.each(wrong)(
    "that is wrong is named: %s in %o",
    async (name, set, problem) => {
      const health = await serverWith(set).health();
      expect(health.status).toBe(503);
      expect(await health.json()).toEqual({
        status: "failing",
        problems: [
          { name, problem: expect.stringMatching(problem) as unknown },
        ],
      });
    },
  );

  it.each<[Record<string, unknown>]>([
    [{}],
    [{ DYNAMIC_REGISTRATION: "", REGISTRATIONS_PER_DAY: "" }],
    [{ DYNAMIC_REGISTRATION: "open", REGISTRATIONS_PER_DAY: "1" }],
    [{ DYNAMIC_REGISTRATION: "token", REGISTRATIONS_PER_DAY: "1000000" }],
    [
      {
        DYNAMIC_REGISTRATION: "open",
        REGISTRATION_IDLE_TTL: "P1M",
        REFRESH_TOKEN_TTL: "P1M",
      },
    ],
    // Nobody registers, so nothing can end too early.
    [{ REGISTRATION_IDLE_TTL: "PT1H" }],
    [{ ...hosts, CLIENT_ID_METADATA_HOSTS: "agent.example,other.example" }],
    [{ OFFLINE_ACCESS_REQUIRED: "on" }],
  ])("may be %o", async (set) => {
    const health = await serverWith(set).health();
    expect(await health.json()).toEqual({ status: "ok" });
  });
});
