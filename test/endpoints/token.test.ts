import { beforeAll, describe, expect, it } from "vitest";
import { refusal, server, type TestClient } from "../support/server.ts";

/** Tests the rules of the token endpoint that all grant types share (RFC 6749 section 3.2). */

let client: TestClient;
let refresh_token: string;

beforeAll(async () => {
  client = await server.makeClient();
  ({ refresh_token } = await server.login(client));
});

/** Checks that the token is still good after a refusal. */
async function expectNothingConsumed() {
  ({ refresh_token } = await server.expectRefresh(client, refresh_token));
}

function form(more: string[][] = []): string[][] {
  return [
    ["grant_type", "refresh_token"],
    ["refresh_token", refresh_token],
    ["client_id", client.client_id],
    ["client_secret", client.client_secret],
    ...more,
  ];
}

function post(contentType: string | undefined, body: BodyInit) {
  return server.http("/access_token", {
    method: "POST",
    headers: contentType === undefined ? {} : { "Content-Type": contentType },
    body,
  });
}

describe("grant_type", () => {
  it("that is left out is invalid_request", async () => {
    const response = await server.token(form().slice(1));
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
    await expectNothingConsumed();
  });

  it.each(["password", "REFRESH_TOKEN", "refresh_token ", "constructor"])(
    "of %j is unsupported_grant_type",
    async (grant_type) => {
      const response = await server.token({ grant_type });
      expect(await refusal(response)).toEqual([
        400,
        "unsupported_grant_type",
        "grant_type_unknown",
      ]);
    },
  );
});

describe("a parameter", () => {
  it.each([
    "grant_type",
    "refresh_token",
    "client_id",
    "client_secret",
    "scope",
  ])(
    "that is repeated (%s) is invalid_request, even with the same value",
    async (name) => {
      const value = new URLSearchParams(form()).get(name) ?? "read";
      const more = name === "scope" ? [[name, value]] : [];
      const response = await server.token(form([...more, [name, value]]));
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "parameter_repeated",
      ]);
      await expectNothingConsumed();
    },
  );

  it("that is unknown is ignored, also if it is repeated", async () => {
    const more = [
      ["x", "1"],
      ["x", "2"],
      ["__proto__", "1"],
      ["code", "1"],
    ];
    const response = await server.token(form(more));
    expect(response.status).toBe(200);
    ({ refresh_token } = await response.json<{ refresh_token: string }>());
  });

  it("that is empty counts as left out, also beside one with a value", async () => {
    const response = await server.token(
      form([
        ["refresh_token", ""],
        ["scope", ""],
      ]),
    );
    expect(response.status).toBe(200);
    ({ refresh_token } = await response.json<{ refresh_token: string }>());
    const empty = await server.token(
      form().map(([name, value]) => [
        name!,
        name === "refresh_token" ? "" : value!,
      ]),
    );
    expect(await refusal(empty)).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
  });

  it("in the query string is not read", async () => {
    const query = `?${new URLSearchParams(form()).toString()}`;
    const empty = await server.token([], {}, query);
    expect(await refusal(empty)).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
    const noCredentials = await server.token(form().slice(0, 2), {}, query);
    expect(await refusal(noCredentials)).toEqual([
      401,
      "invalid_client",
      "client_id_missing",
    ]);
    await expectNothingConsumed();
  });
});

describe("the body", () => {
  it("may have a charset in its Content-Type, in any case", async () => {
    const response = await post(
      "Application/X-WWW-Form-Urlencoded; Charset=UTF-8",
      new URLSearchParams(form()).toString(),
    );
    expect(response.status).toBe(200);
    ({ refresh_token } = await response.json<{ refresh_token: string }>());
  });

  it.each([
    ["JSON", "application/json"],
    ["plain text", "text/plain"],
    ["another kind of form", "multipart/form-data; boundary=x"],
    [
      "a type that only begins like that of a form",
      "application/x-www-form-urlencodedx",
    ],
    ["an empty type", ""],
  ])(
    "with the Content-Type of %s is invalid_request",
    async (_, contentType) => {
      const body = new URLSearchParams(form()).toString();
      const response = await post(contentType, body);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "content_type_wrong",
      ]);
      await expectNothingConsumed();
    },
  );

  it("that is empty is invalid_request", async () => {
    const response = await server.http("/access_token", { method: "POST" });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "content_type_wrong",
    ]);
  });

  it("of bytes that are not UTF-8 is invalid_request", async () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0x3d, 0x00, 0x26, 0x25]);
    const response = await post("application/x-www-form-urlencoded", bytes);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
  });

  it("over 16 KiB is answered with 413, with or without its length", async () => {
    const large = new URLSearchParams(
      form([["x", "x".repeat(16 * 1024)]]),
    ).toString();
    const type = "application/x-www-form-urlencoded";
    const sized = await post(type, large);
    expect(await refusal(sized)).toEqual([
      413,
      "invalid_request",
      "body_too_large",
    ]);
    expect(sized.headers.get("Access-Control-Allow-Origin")).toBe("*");
    const streamed = await post(type, new Blob([large]).stream());
    expect(await refusal(streamed)).toEqual([
      413,
      "invalid_request",
      "body_too_large",
    ]);
    await expectNothingConsumed();
  });

  it("of exactly 16 KiB is read", async () => {
    const rest = new URLSearchParams(form([["x", ""]])).toString();
    const body = rest + "x".repeat(16 * 1024 - rest.length);
    const response = await post("application/x-www-form-urlencoded", body);
    expect(response.status).toBe(200);
    ({ refresh_token } = await response.json<{ refresh_token: string }>());
  });
});
