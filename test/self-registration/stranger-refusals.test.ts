import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import {
  authorizationQuery,
  authorize,
  decide,
  makeWebClient,
  requestAtLogin,
} from "../support/authorization.ts";
import { AgentSite, AGREED, DOCUMENTS_ON } from "../support/agent-site.ts";
import { shown, told } from "../support/refusals.ts";
import { agent, register, writeResources } from "../support/registration.ts";
import {
  ISSUER,
  server,
  serverWith,
  type TestServer,
} from "../support/server.ts";

/**
 * Anybody can register a client. So an authorization request that is refused leads the browser to no website of such a
 * client before the user was asked (RFC 9700 section 4.11.2).
 */

const PHISH = "https://phish.example/login";

let open: TestServer;

beforeAll(() => server.makeScopes("openid"));

beforeEach(async () => {
  await writeResources();
  open = serverWith({ DYNAMIC_REGISTRATION: "open", ...DOCUMENTS_ON });
});

afterEach(() => {
  vi.restoreAllMocks();
});

type Asked = Record<string, string | undefined>;

/** Registers a client with one redirect URI, and sends a browser to /authorize. */
async function begin(redirect_uri: string, more: Asked): Promise<Response> {
  const client = await register(open, {
    ...agent,
    redirect_uris: [redirect_uri],
  });
  return authorize(client, { redirect_uri, ...more }, open);
}

const unsupported = { response_type: "x" };
const pageOfUnsupported = [
  400,
  "unsupported_response_type",
  "response_type_unsupported",
];

/** What is wrong with a request, the error, and the precise reason. */
const faults: [fault: string, more: Asked, error: string, reason: string][] = [
  [
    "response_type",
    unsupported,
    "unsupported_response_type",
    "response_type_unsupported",
  ],
  [
    "no response_type",
    { response_type: undefined },
    "invalid_request",
    "parameter_missing",
  ],
  [
    "response_mode",
    { response_mode: "fragment" },
    "invalid_request",
    "response_mode_unsupported",
  ],
  [
    "no PKCE",
    { code_challenge: undefined },
    "invalid_request",
    "code_challenge_missing",
  ],
  [
    "prompt",
    { prompt: "none login" },
    "invalid_request",
    "prompt_contradictory",
  ],
  [
    "prompt=none beside it",
    { ...unsupported, prompt: "none" },
    "unsupported_response_type",
    "response_type_unsupported",
  ],
  ["scope", { scope: "nothing" }, "invalid_scope", "scope_none_left"],
  [
    "resource",
    { resource: "https://billing.example.com/" },
    "invalid_target",
    "resource_not_allowed",
  ],
  [
    "too long for the URL of the sign-in page",
    { login_hint: "\u0001".repeat(1200) },
    "invalid_request",
    "authorization_request_too_long",
  ],
];

describe("a request of a client that registered itself, with a redirect URI on a website", () => {
  it.each(faults)(
    "is refused on a page: %s",
    async (_, more, error, reason) => {
      expect(await shown(await begin(PHISH, more))).toEqual([
        400,
        error,
        reason,
      ]);
    },
  );

  it("gets a page that names the host, and leads nowhere", async () => {
    const response = await begin(
      "https://phish.example:8443/login?x=1",
      unsupported,
    );
    expect(response.headers.get("Content-Security-Policy")).toContain(
      "default-src 'none'",
    );
    const page = await response.clone().text();
    const words = page.replaceAll(/<[^>]*>/g, "").replaceAll(/\s+/g, " ");
    expect(words).toContain(
      "You are not sent on to phish.example:8443, because this app has registered itself and nobody has checked it.",
    );
    expect(page).not.toMatch(/href|action|http-equiv|phish\.example:8443\//i);
    expect(await shown(response)).toEqual(pageOfUnsupported);
  });

  it("gets a page that shows a host in ASCII, however the client has written it", async () => {
    const response = await begin("https://PHISH.example/%3Cb%3E", unsupported);
    expect(await response.text()).toContain("<strong>phish.example</strong>");
  });

  it.each([
    "https://localhost.phish.example/",
    "https://127.0.0.1.phish.example/",
    "https://phish.example/http://127.0.0.1/",
    "https://phish.example/?http://localhost/",
    "https://127.0.0.1/callback",
  ])("does not pass for one of a program on the device: %s", async (uri) => {
    expect(await shown(await begin(uri, unsupported))).toEqual(
      pageOfUnsupported,
    );
  });

  it("with a scheme of an app gets a page that names the scheme", async () => {
    const response = await begin("com.example.agent:/callback", unsupported);
    expect(await response.clone().text()).toContain(
      "<strong>com.example.agent:</strong>",
    );
    expect(await shown(response)).toEqual(pageOfUnsupported);
  });

  it("gets the page for the redirect URI that it leaves out, and for a form", async () => {
    const client = await register(open, { ...agent, redirect_uris: [PHISH] });
    const without = { redirect_uri: undefined, ...unsupported };
    expect(await shown(await authorize(client, without, open))).toEqual(
      pageOfUnsupported,
    );
    const form = authorizationQuery(client, {
      redirect_uri: PHISH,
      scope: "openid",
      ...unsupported,
    });
    const posted = await open.http("/authorize", {
      method: "POST",
      body: new URLSearchParams(form),
      redirect: "manual",
    });
    expect(await shown(posted)).toEqual(pageOfUnsupported);
  });

  it("gets the page if it is known by its metadata document", async () => {
    const site = new AgentSite();
    site.document.redirect_uris = [PHISH];
    const request = { redirect_uri: PHISH, ...unsupported };
    expect(await shown(await authorize(site, request, open))).toEqual(
      pageOfUnsupported,
    );
  });
});

describe("a refused request still goes back by redirect", () => {
  it.each([
    "http://127.0.0.1:33418/callback",
    "http://[::1]:33418/callback",
    "http://localhost:33418/callback",
  ])(
    "to a client that registered itself at %s, which is on the device",
    async (uri) => {
      expect(told(await begin(uri, unsupported), uri)).toEqual([
        {
          error: "unsupported_response_type",
          error_description: expect.stringContaining(
            "response_type",
          ) as unknown,
          state: "xyz",
          iss: ISSUER,
        },
        "response_type_unsupported",
      ]);
    },
  );

  it("to a client that an administrator has registered", async () => {
    const client = await makeWebClient({}, open);
    const [answer] = told(await authorize(client, unsupported, open));
    expect(answer["error"]).toBe("unsupported_response_type");
  });
});

describe("what the login decides goes back to a client that registered itself", () => {
  it.each([
    ["a code", AGREED, "code"],
    ["access_denied", { error: "access_denied" }, "error"],
    ["login_required", { error: "login_required" }, "error"],
    ["consent_required", { error: "consent_required" }, "error"],
  ])("%s", async (_, decision, parameter) => {
    const client = await register(open, { ...agent, redirect_uris: [PHISH] });
    const asked = {
      redirect_uri: PHISH,
      ...(parameter === "error" && { prompt: "none" }),
    };
    const request = await requestAtLogin(client, asked, open);
    const back = await decide(request, decision, open);
    expect(back.origin + back.pathname).toBe(PHISH);
    expect(back.searchParams.has(parameter)).toBe(true);
  });
});
