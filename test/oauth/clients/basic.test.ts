import { afterEach, describe, expect, it, vi } from "vitest";
import {
  answer,
  attempt,
  authenticated,
  raw,
  unknown,
  wrongMethod,
  wrongSecret,
} from "../../support/basic.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { rewriteClient } from "../../support/records.ts";
import { reasonOf } from "../../support/request-lines.ts";
import { basic, refusal, server, serverWith } from "../../support/server.ts";

/**
 * HTTP Basic as libraries send it: with an empty password for a public client, and with id and secret that are
 * not form-encoded (RFC 6749 section 2.3.1 asks for that, and few do it).
 */

afterEach(() => {
  vi.restoreAllMocks();
});

describe("Basic with an empty password", () => {
  const withoutSecret = { token_endpoint_auth_method: "none" };

  it("is a request without a secret: a public client gets in, with its client_id in the body or not", async () => {
    const { client_id } = await server.makeClient(withoutSecret);
    expect(await answer(basic(client_id, ""))).toEqual(authenticated);
    expect(await answer(basic(client_id, ""), { client_id })).toEqual(
      authenticated,
    );
    const both = { client_id, client_secret: "" };
    expect(await answer(basic(client_id, ""), both)).toEqual(authenticated);
    const revoked = await server.http("/revoke", {
      method: "POST",
      headers: { Authorization: basic(client_id, "") },
      body: new URLSearchParams({ token: "none" }),
    });
    expect(revoked.status).toBe(200);
  });

  it("works for a public client's refresh", async () => {
    const client = await server.makeClient(withoutSecret);
    const { refresh_token } = await server.login(client);
    const response = await server.token(
      { grant_type: "refresh_token", refresh_token },
      { Authorization: raw(client.client_id, "") },
    );
    expect(response.status).toBe(200);
  });

  it("keeps every confidential client out, also one that has no secret", async () => {
    const methods = [undefined, "client_secret_basic", "client_secret_post"];
    for (const token_endpoint_auth_method of methods) {
      const client = await server.makeClient({ token_endpoint_auth_method });
      const { client_id } = client;
      const response = await attempt(basic(client_id, ""));
      expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic /);
      expect(await refusal(response)).toEqual(wrongMethod);
      expect(await answer(basic(client_id, ""), { client_id })).toEqual(
        wrongMethod,
      );

      await rewriteClient(client, { secrets: [] });
      const elsewhere = { to: serverWith({}) };
      for (const header of [basic(client_id, ""), raw(client_id, "x")]) {
        const [status, error] = await answer(header, {}, elsewhere);
        expect([status, error]).toEqual([401, "invalid_client"]);
      }
    }
    expect(await answer(basic("nobody", ""))).toEqual(unknown);
  });

  it("keeps a confidential client out whose secret is stored as the empty text's hash", async () => {
    const client = await server.makeClient({});
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array());
    const hash = new Uint8Array(digest).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    await rewriteClient(client, { secrets: [{ hash, created_at: 1 }] });
    const elsewhere = { to: serverWith({}) };
    expect(await answer(basic(client.client_id, ""), {}, elsewhere)).toEqual(
      wrongMethod,
    );
  });

  it("does not make a password good for a public client", async () => {
    const { client_id } = await server.makeClient(withoutSecret);
    for (const password of ["x", " ", "+", "%20", "%00", "%"])
      expect(await answer(raw(client_id, password))).toEqual(wrongMethod);
  });

  it("is invalid_request with a client_secret or another client_id in the body", async () => {
    const client = await server.makeClient({});
    const { client_id, client_secret } = client;
    const header = basic(client_id, "");
    for (const body of [{ client_id, client_secret }, { client_secret }])
      expect(await answer(header, body)).toEqual([
        400,
        "invalid_request",
        "two_authentication_methods",
      ]);
    const publicClient = await server.makeClient(withoutSecret);
    for (const body of [{ client_id }, { client_id: `${client_id} ` }])
      expect(await answer(basic(publicClient.client_id, ""), body)).toEqual([
        400,
        "invalid_request",
        "two_client_ids",
      ]);
  });

  it("needs an id", async () => {
    const { client_id } = await server.makeClient(withoutSecret);
    for (const header of ["Basic Og==", "Basic", "Basic ", raw("", "x")])
      for (const body of [{}, { client_id }])
        expect(await answer(header, body as Record<string, string>)).toEqual([
          401,
          "invalid_client",
          "basic_credentials_malformed",
        ]);
  });

  it("may have a raw id with a plus or a percent sign", async () => {
    for (const client_id of ["app+one", "100%app", "app%2Btwo", "app%zz"]) {
      await server.makeClient({ client_id, ...withoutSecret });
      expect(await answer(raw(client_id, ""))).toEqual(authenticated);
      expect(await answer(raw(client_id, ""), { client_id })).toEqual(
        authenticated,
      );
      expect(await answer(basic(client_id, ""))).toEqual(authenticated);
    }
  });
});

/** Secrets that read differently when they are form-decoded, or that cannot be decoded. */
const secrets = [
  "se+cr%t/==and+more",
  "p%41ssword-p%41ssword",
  "a trailing percent sign %",
  "100% sure, 50% more%2",
  "%%%%%%%%%+++++++++",
  "%2525252525252525",
  "colons:in:it::and+a+plus:",
  "not UTF-8: %ff%fe%80 %c3%28",
  "~!@#$^&*()_-={}[]|\\;'\"<>,.?/+%",
  `${"+%".repeat(127)}x`,
];

describe("Basic that is not form-encoded", () => {
  it.each(secrets)(
    "works with the secret %j, like the form-encoded one",
    async (client_secret) => {
      const { client_id } = await server.makeClient({ client_secret });
      expect(await answer(raw(client_id, client_secret))).toEqual(
        authenticated,
      );
      expect(await answer(basic(client_id, client_secret))).toEqual(
        authenticated,
      );
      const strictlyEncoded = encodeURIComponent(client_secret);
      expect(await answer(raw(client_id, strictlyEncoded))).toEqual(
        authenticated,
      );
      const inBody = await server.token({
        grant_type: "refresh_token",
        refresh_token: "none",
        client_id,
        client_secret,
      });
      expect(await refusal(inBody)).toEqual(authenticated);
    },
  );

  it.each(["app+1", "100%", "app%41", "an app", "%61pp+%62", "app%ff"])(
    "works with the id %j, alone or with the same client_id in the body",
    async (client_id) => {
      const client_secret = "se+cr%t/==and+more";
      await server.makeClient({ client_id, client_secret });
      for (const header of [
        raw(client_id, client_secret),
        basic(client_id, client_secret),
      ]) {
        expect(await answer(header)).toEqual(authenticated);
        expect(await answer(header, { client_id })).toEqual(authenticated);
        expect(await answer(header, { client_id: "other" })).toEqual([
          400,
          "invalid_request",
          "two_client_ids",
        ]);
      }
    },
  );

  it("gets the tokens of a real grant", async () => {
    const client_secret = "se+cr%t/==and+more";
    const { client_id } = await server.makeClient({
      client_secret,
      grant_types: ["client_credentials"],
    });
    const response = await server.token(
      { grant_type: "client_credentials" },
      { Authorization: raw(client_id, client_secret) },
    );
    expect(response.status).toBe(200);
  });

  it("opens a secret by two spellings only: form-encoded, and as it stands", async () => {
    const client_secret = "p%41ssword-p%41ssword";
    const { client_id } = await server.makeClient({ client_secret });
    for (const spelling of [
      "pAssword-pAssword",
      "p%41ssword-pAssword",
      "p%2541ssword-p%41ssword",
      "p%252541ssword-p%252541ssword",
      "p%41ssword-p%41ssword+",
      "p%41ssword-p%41ssword%",
      " p%41ssword-p%41ssword",
      "P%41SSWORD-P%41SSWORD",
    ])
      expect(await answer(raw(client_id, spelling)), spelling).toEqual(
        wrongSecret,
      );
    // A secret that one reads as the other stays another client's.
    const plain = await server.makeClient({
      client_secret: "pAssword-pAssword",
    });
    expect(
      await answer(raw(plain.client_id, "p%2541ssword-p%2541ssword")),
    ).toEqual(wrongSecret);
  });

  it("is not mixed: id and secret are both decoded, or both as they stand", async () => {
    const client_id = "mixed+app";
    const client_secret = "a+secret+with+plus";
    await server.makeClient({ client_id, client_secret });
    expect(await answer(raw("mixed+app", "a%2Bsecret%2Bwith%2Bplus"))).toEqual(
      wrongSecret,
    );
    expect(await answer(raw("mixed%2Bapp", "a+secret+with+plus"))).toEqual(
      wrongSecret,
    );
  });

  it("decodes nothing in the body beyond the form itself", async () => {
    const client_secret = "se+cr%2Bt/==and+more";
    const { client_id } = await server.makeClient({ client_secret });
    const post = async (secret: string) => {
      const form = { grant_type: "refresh_token", refresh_token: "none" };
      const credentials = { client_id, client_secret: secret };
      return refusal(await server.token({ ...form, ...credentials }));
    };
    expect(await post(client_secret)).toEqual(authenticated);
    for (const secret of [
      encodeURIComponent(client_secret),
      "se cr+t/==and more",
      "se+cr+t/==and+more",
    ])
      expect(await post(secret)).toEqual(wrongSecret);
  });

  it("gets in only where the method may be Basic", async () => {
    const client_secret = "se+cr%t/==and+more";
    const { client_id } = await server.makeClient({
      client_secret,
      token_endpoint_auth_method: "client_secret_post",
    });
    expect(await answer(raw(client_id, client_secret))).toEqual(wrongMethod);
  });

  it("tells two clients apart whose ids read alike, each with its own secret", async () => {
    const spaced = await server.makeClient({ client_id: "two readings" });
    const plus = await server.makeClient({ client_id: "two+readings" });
    const lines = listenToLog();
    const ask = (header: string, body = {}) => answer(header, body);
    expect(await ask(raw("two+readings", plus.client_secret))).toEqual(
      authenticated,
    );
    expect(await ask(raw("two+readings", spaced.client_secret))).toEqual(
      authenticated,
    );
    const clients = parsedLog(lines).map(({ client_id }) => client_id);
    expect(clients).toEqual(["two+readings", "two readings"]);

    // client_id in the body says which reading is meant.
    const { client_id } = spaced;
    expect(
      await ask(raw("two+readings", plus.client_secret), { client_id }),
    ).toEqual(wrongSecret);
    expect(
      await ask(raw("two+readings", spaced.client_secret), {
        client_id: plus.client_id,
      }),
    ).toEqual(wrongSecret);
    expect(await ask(basic("two+readings", spaced.client_secret))).toEqual(
      wrongSecret,
    );
  });

  it("is the decoded pair if both fit", async () => {
    const client_secret = "the same secret twice";
    await server.makeClient({ client_id: "both fit", client_secret });
    await server.makeClient({ client_id: "both+fit", client_secret });
    const lines = listenToLog();
    expect(await answer(raw("both+fit", client_secret))).toEqual(authenticated);
    expect(parsedLog(lines)).toMatchObject([{ client_id: "both fit" }]);
  });

  it.each([
    ["not base64", "Basic !!!"],
    ["base64url", "Basic YX5-fj9_Pw"],
    ["not UTF-8", "Basic /zp4"],
    ["without a colon", `Basic ${btoa("an+id")}`],
    ["longer than a body may be", raw("an+id", "+".repeat(16 * 1024))],
  ])("is malformed if it is %s", async (_, header) => {
    expect(await answer(header)).toEqual([
      401,
      "invalid_client",
      "basic_credentials_malformed",
    ]);
  });
});

it("a refusal of Basic says the same for every reason", async () => {
  const { client_id } = await server.makeClient({});
  const responses = [
    await attempt(raw(client_id, "")),
    await attempt(raw(client_id, "wrong+secret")),
    await attempt(raw("no+body", "wrong+secret")),
    await attempt(raw("no+body", "")),
  ];
  const bodies = new Set<string>();
  for (const response of responses) {
    expect(response.headers.get("WWW-Authenticate")).toMatch(/^Basic /);
    expect(reasonOf(response)).toBeDefined();
    bodies.add(await response.text());
  }
  expect(bodies.size).toBe(1);
});
