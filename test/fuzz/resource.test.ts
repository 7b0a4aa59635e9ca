import * as fc from "fast-check";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  server,
  type TestClient,
  type Tokens,
  refusal,
} from "../support/server.ts";
import { hostile } from "./arbitraries.ts";

/** Tests arbitrary spellings of resources: a client gets no audience that it is not registered for. */

const RUNS = 1500;
const registered = [
  "https://api.example.com",
  "https://files.example.com:8443/v1/",
  "https://[2001:db8::a]/?tenant=A",
  "http://localhost:80",
];

let client: TestClient;

beforeAll(async () => {
  client = await server.makeClient({
    grant_types: ["client_credentials"],
    resources: registered,
  });
});

/** A registered URI with one to three changes: letters in another case, and text inserted or removed. */
const spelling = fc
  .tuple(
    fc.constantFrom(...registered),
    fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        cut: fc.nat(2),
        put: fc.oneof(
          {
            weight: 5,
            arbitrary: fc.constantFrom(
              "/",
              ":",
              ":443",
              ":80",
              ":443/",
              "?",
              "#",
              "@",
              "\\",
              ".",
              "%2F",
              "\t",
              "x",
            ),
          },
          { weight: 1, arbitrary: hostile },
        ),
        kind: fc.constantFrom("case", "case", "append", "edit"),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([uri, changes]) => changes.reduce(change, uri).toWellFormed());

function change(
  uri: string,
  {
    at,
    cut,
    put,
    kind,
  }: { at: number; cut: number; put: string; kind: string },
): string {
  const position = Math.floor(at * uri.length);
  const [before, after] = [uri.slice(0, position), uri.slice(position)];
  if (kind === "case") return before + after.toUpperCase();
  if (kind === "append") return uri + put;
  return before + put + after.slice(cut);
}

describe("resource", () => {
  it(`in ${RUNS} spellings is refused, or is a registered URI that a URL parser takes for the same`, async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(spelling, async (sent) => {
        fc.pre(sent !== "" && !registered.includes(sent));
        const response = await server.token([
          ["grant_type", "client_credentials"],
          ["client_id", client.client_id],
          ["client_secret", client.client_secret],
          ["resource", sent],
        ]);
        if (response.status !== 200) {
          expect(await refusal(response)).toEqual([
            400,
            "invalid_target",
            "resource_not_allowed",
          ]);
          return;
        }
        accepted += 1;
        const { access_token } = await response.json<Tokens>();
        const { aud } = decodeJwt(access_token);
        expect(registered).toContain(aud);
        expect(new URL(sent).href).toBe(new URL(String(aud)).href);
      }),
      { numRuns: RUNS },
    );
    // Both answers occur often, so the spellings show something.
    expect(accepted).toBeGreaterThan(RUNS / 50);
    expect(accepted).toBeLessThan(RUNS / 2);
  }, 120_000);
});
