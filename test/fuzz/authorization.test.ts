import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  authorizationQuery,
  expectTokens,
  faultOf,
  LOGIN_URL,
  makeWebClient,
  obtainCode,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import { countingBindings } from "../support/counting.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";
import { makeRegisteredClient } from "../support/self-registered.ts";
import { apply, changeOf, hostile } from "./arbitraries.ts";

/** Tests arbitrary requests: no 5xx, no redirect to an unregistered URI, no forged code or request. */

const RUNS = 1000;

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read");
  client = await makeWebClient({
    scope: "read",
    resources: ["https://api.example.com"],
  });
});

const names = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "response_type",
      "response_mode",
      "client_id",
      "redirect_uri",
      "scope",
      "state",
      "code_challenge",
      "code_challenge_method",
      "resource",
      "login_hint",
      "dpop_jkt",
    ),
  },
  { weight: 1, arbitrary: hostile },
);

/** The registered redirect URI with text inserted, or replaced, at one position. */
const lookalike = fc
  .tuple(fc.nat(REDIRECT_URI.length), hostile, fc.nat(3))
  .map(
    ([at, text, cut]) =>
      REDIRECT_URI.slice(0, at) + text + REDIRECT_URI.slice(at + cut),
  );

describe("the authorization endpoint", () => {
  it(`answers ${RUNS} malformed requests with a page, or with a redirect to the sign-in page or to the registered URI`, async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const outcomes: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(
        fc.array(changeOf(names), { minLength: 1, maxLength: 4 }),
        fc.option(lookalike, { freq: 4, nil: undefined }),
        async (changes, redirect_uri) => {
          const query = new URLSearchParams(authorizationQuery(client));
          for (const change of changes) apply(query, change);
          if (redirect_uri !== undefined)
            query.set("redirect_uri", redirect_uri.toWellFormed());
          const response = await counted.http(
            `/authorize?${query.toString()}`,
            { redirect: "manual" },
          );
          const target = response.headers.get("Location");
          const outcome = `${response.status} ${target === null ? "page" : target.replace(/[?].*/s, "")}`;
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
          if (response.status === 400) {
            expect(target).toBeNull();
            expect(response.headers.get("Content-Security-Policy")).toContain(
              "frame-ancestors 'none'",
            );
            return;
          }
          expect(response.status).toBe(303);
          const { searchParams, hash } = new URL(target ?? "");
          expect(hash).toBe("");
          // The redirect URI was the registered one, or left out.
          const named = query
            .getAll("redirect_uri")
            .filter((uri) => uri !== "");
          expect([[], [REDIRECT_URI]]).toContainEqual(named);
          if (target?.startsWith(`${LOGIN_URL}?request=`)) return;
          expect(target?.startsWith(`${REDIRECT_URI}?error=`)).toBe(true);
          // The response has the state once and unchanged, or not at all.
          const [state, ...repeated] = query
            .getAll("state")
            .filter((value) => value !== "");
          const expected =
            state === undefined || repeated.length > 0 ? [] : [state];
          expect(searchParams.getAll("state")).toEqual(expected);
          // Byte for byte, too.
          const raw = /(?:^|&)(state=[^&]+)/.exec(query.toString())?.[1];
          if (expected.length > 0) expect(target).toContain(`&${raw}&iss=`);
          expect(searchParams.getAll("iss")).toEqual([
            "https://auth.example.com",
          ]);
          expect(searchParams.get("error_description")).toMatch(
            /^[\x20-\x7e]+$/,
          );
        },
      ),
      { numRuns: RUNS },
    );
    // All three outcomes occur, so the requests get beyond the first check.
    expect(Object.keys(outcomes).toSorted()).toEqual(
      ["303 " + REDIRECT_URI, "303 " + LOGIN_URL, "400 page"].toSorted(),
    );
    expect(calls.family).toBe(0);
    expect(calls.kvWrite).toBe(0);
  });
});

describe("the authorization endpoint, for a client that registered itself", () => {
  it("redirects to no website of the client, whatever is wrong with a request", async () => {
    const stranger = await makeRegisteredClient();
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(changeOf(names), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const query = new URLSearchParams(authorizationQuery(stranger));
          for (const change of changes) apply(query, change);
          const response = await server.http(`/authorize?${query.toString()}`, {
            redirect: "manual",
          });
          const target = response.headers.get("Location");
          const [address] = target?.split("?") ?? ["page"];
          outcomes.add(`${response.status} ${address}`);
        },
      ),
      { numRuns: RUNS / 4 },
    );
    expect([...outcomes].toSorted()).toEqual([`303 ${LOGIN_URL}`, "400 page"]);
  });
});

/** One or two changes of a string: at a position, up to two characters are removed and text is inserted. */
const alteration = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    cut: fc.nat(2),
    put: fc.oneof(fc.constantFrom("", ".", "A", "_", "-", "=", "/"), hostile),
  }),
  { minLength: 1, maxLength: 2 },
);

function alter(
  text: string,
  alterations: { at: number; cut: number; put: string }[],
): string {
  return alterations
    .reduce((altered, { at, cut, put }) => {
      const position = Math.floor(at * altered.length);
      return altered.slice(0, position) + put + altered.slice(position + cut);
    }, text)
    .toWellFormed();
}

describe("the server", () => {
  it(`refuses ${RUNS} altered codes without calling a family, and the code stays good`, async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const code = await obtainCode(client);
    await fc.assert(
      fc.asyncProperty(alteration, async (alterations) => {
        const altered = alter(code, alterations);
        fc.pre(altered !== code);
        const response = await redeem(client, altered, {}, counted);
        // An empty code counts as left out.
        const refused =
          altered === ""
            ? ["invalid_request", "parameter_missing"]
            : ["invalid_grant", `authorization_code_${faultOf(altered)}`];
        expect(await refusal(response)).toEqual([400, ...refused]);
      }),
      { numRuns: RUNS },
    );
    expect(calls.family).toBe(0);
    await expectTokens(await redeem(client, code));
  });

  it(`refuses to decide ${RUNS} altered requests`, async () => {
    const request = await requestAtLogin(client);
    await fc.assert(
      fc.asyncProperty(alteration, async (alterations) => {
        const altered = alter(request, alterations);
        fc.pre(altered !== request);
        const response = await server.admin("POST", "/authorizations", {
          request: altered,
          subject: "mallory",
        });
        const reason =
          altered === ""
            ? "admin_body_invalid"
            : `authorization_request_${faultOf(altered)}`;
        expect(reasonOf(response)).toBe(reason);
        expect(response.status).toBe(400);
        expect(await response.json()).toHaveProperty("fields.request");
      }),
      { numRuns: RUNS },
    );
  });
});
