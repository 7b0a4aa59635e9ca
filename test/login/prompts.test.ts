import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  makeWebClient,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import { server, type TestClient } from "../support/server.ts";
import { newVisitor } from "./isolated.ts";
import type { Visitor, VisitedPage } from "./visitor.ts";

/** Tests that the example login obeys what an app asks for, and what it remembers in the session. */

let notes: TestClient;
let diary: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "read", "write");
  const scope = "openid read write";
  notes = await makeWebClient({ scope, client_name: "Notes" });
  diary = await makeWebClient({ scope, client_name: "Diary" });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Lets time pass, so that what was done before is older than the next request. */
function later(seconds: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 });
}

/** Makes a visitor who has signed in as Alice and allowed the app Notes everything, ten minutes ago. */
async function visitorOfNotes(): Promise<Visitor> {
  const visitor = newVisitor();
  const signIn = await visitor.begin(await requestAtLogin(notes));
  const consent = await visitor.signIn(signIn);
  expect(
    codeOf(await visitor.send(consent, "/consent", { answer: "allow" })),
  ).toBeDefined();
  later(600);
  return visitor;
}

/** The parameters with which the browser comes back to the app. */
function answerOf({ location }: VisitedPage) {
  expect((location?.origin ?? "") + location?.pathname).toBe(REDIRECT_URI);
  return Object.fromEntries(location?.searchParams ?? []);
}

/** The code with which the browser comes back to the app. */
const codeOf = (page: VisitedPage) => answerOf(page)["code"];

describe("a person who has signed in and allowed the app", () => {
  it("goes back to it without a page", async () => {
    const visitor = await visitorOfNotes();
    expect(
      codeOf(await visitor.begin(await requestAtLogin(notes))),
    ).toBeDefined();
  });

  it("is asked for consent by another app, but not for the password", async () => {
    const visitor = await visitorOfNotes();
    const page = await visitor.begin(await requestAtLogin(diary));
    expect(page.title).toBe("Allow Diary?");
    expect(page.html).toContain("alice@example.com");
    expect(
      codeOf(await visitor.send(page, "/consent", { answer: "allow" })),
    ).toBeDefined();
    expect(
      codeOf(await visitor.begin(await requestAtLogin(diary))),
    ).toBeDefined();
    expect(
      codeOf(await visitor.begin(await requestAtLogin(notes))),
    ).toBeDefined();
  });

  it("is asked again for a scope that they have not allowed", async () => {
    const visitor = await visitorOfNotes();
    const asks = await visitor.begin(
      await requestAtLogin(notes, { prompt: "consent" }),
    );
    const less = await visitor.send(asks, "/consent", {
      answer: "allow",
      scope: ["openid", "read"],
    });
    expect(codeOf(less)).toBeDefined();
    expect(
      codeOf(
        await visitor.begin(
          await requestAtLogin(notes, { scope: "openid read" }),
        ),
      ),
    ).toBeDefined();
    const page = await visitor.begin(await requestAtLogin(notes));
    expect(page.title).toBe("Allow Notes?");
  });

  it("is asked again after they denied the request", async () => {
    const visitor = await visitorOfNotes();
    for (const _ of [1, 2]) {
      const page = await visitor.begin(await requestAtLogin(diary));
      expect(page.title).toBe("Allow Diary?");
      const denied = await visitor.send(page, "/consent", { answer: "deny" });
      expect(answerOf(denied)["error"]).toBe("access_denied");
    }
  });

  it("is asked for the password after twelve hours", async () => {
    const visitor = await visitorOfNotes();
    later(12 * 60 * 60);
    const page = await visitor.begin(await requestAtLogin(notes));
    expect(page.title).toBe("Sign in to Notes");
  });

  it("is asked for consent each time by an app whose address any program can take", async () => {
    const app = await makeWebClient({
      scope: "read",
      redirect_uris: ["com.example.notes:/callback"],
    });
    const visitor = newVisitor();
    const ask = async (prompt?: string) =>
      visitor.begin(
        await requestAtLogin(app, {
          redirect_uri: "com.example.notes:/callback",
          prompt,
        }),
      );
    const consent = await visitor.signIn(await ask());
    const back = await visitor.send(consent, "/consent", { answer: "allow" });
    expect(back.location?.searchParams.has("code")).toBe(true);
    expect((await ask()).forms.has("/consent")).toBe(true);
    const silent = await ask("none");
    expect(silent.location?.searchParams.get("error")).toBe("consent_required");
  });
});

describe("prompt=none", () => {
  const none = (client: TestClient, more: Record<string, string> = {}) =>
    requestAtLogin(client, { prompt: "none", scope: "openid read", ...more });

  it("goes back with a code if the person is signed in and has allowed the app", async () => {
    const visitor = await visitorOfNotes();
    expect(codeOf(await visitor.begin(await none(notes)))).toBeDefined();
    expect(
      codeOf(await visitor.begin(await none(notes, { login_hint: "alice" }))),
    ).toBeDefined();
    const hint = { login_hint: "alice@example.com", max_age: "700" };
    expect(codeOf(await visitor.begin(await none(notes, hint)))).toBeDefined();
  });

  it.each<[string, Record<string, string>]>([
    ["login_required", { max_age: "500" }],
    ["account_selection_required", { login_hint: "bob" }],
  ])("goes back with %s for %o", async (error, more) => {
    const visitor = await visitorOfNotes();
    const page = await visitor.begin(await none(notes, more));
    expect(answerOf(page)["error"]).toBe(error);
  });

  it("goes back with login_required if nobody is signed in, and with consent_required if the app is new", async () => {
    const nobody = await newVisitor().begin(await none(notes));
    expect(answerOf(nobody)["error"]).toBe("login_required");
    expect(nobody.headers.get("Set-Cookie")).toBeNull();
    const visitor = await visitorOfNotes();
    const page = await visitor.begin(await none(diary));
    expect(answerOf(page)["error"]).toBe("consent_required");
  });
});

describe("prompt=login, and max_age after that time", () => {
  it.each([{ prompt: "login" }, { max_age: "599" }, { max_age: "0" }])(
    "%o asks for the password once",
    async (demand) => {
      const visitor = await visitorOfNotes();
      const more = { scope: "openid read", ...demand };
      const page = await visitor.begin(await requestAtLogin(notes, more));
      expect(page.title).toBe("Sign in to Notes");
      later(20);
      expect(codeOf(await visitor.signIn(page))).toBeDefined();
      expect(
        codeOf(await visitor.begin(await requestAtLogin(notes))),
      ).toBeDefined();
    },
  );

  it("asks a person for consent to a new app after the password, however long that takes", async () => {
    const visitor = await visitorOfNotes();
    const more = { prompt: "login", max_age: "0" };
    const page = await visitor.begin(await requestAtLogin(diary, more));
    const consent = await visitor.signIn(page);
    expect(consent.title).toBe("Allow Diary?");
    later(1000);
    expect(
      codeOf(await visitor.send(consent, "/consent", { answer: "allow" })),
    ).toBeDefined();
  });

  it("does not ask again while the sign-in is young enough", async () => {
    const visitor = await visitorOfNotes();
    const more = { scope: "openid read", max_age: "660" };
    expect(
      codeOf(await visitor.begin(await requestAtLogin(notes, more))),
    ).toBeDefined();
  });

  it.each(["/consent", "/account"])(
    "cannot be avoided by sending the form of a later page: %s",
    async (path) => {
      const visitor = await visitorOfNotes();
      const other = await visitor.begin(
        await requestAtLogin(diary, { prompt: "select_account consent" }),
      );
      const csrf = other.forms.get("/account")?.get("csrf") ?? "";
      const request = await requestAtLogin(notes, {
        scope: "openid read",
        prompt: "login",
      });
      const form = { csrf, request, answer: "allow", scope: "openid" };
      const page = await visitor.post(path, new URLSearchParams(form));
      expect(page.title).toBe("Sign in to Notes");
    },
  );
});

describe("prompt=select_account, and a login_hint of somebody else", () => {
  it.each([
    { prompt: "select_account" },
    { login_hint: "bob" },
    { login_hint: "bob@example.com" },
  ])("%o lets the person go on with their account", async (demand) => {
    const visitor = await visitorOfNotes();
    const page = await visitor.begin(await requestAtLogin(notes, demand));
    expect(page.title).toBe("Choose an account");
    expect(page.html).toContain("alice@example.com");
    expect(codeOf(await visitor.send(page, "/account"))).toBeDefined();
  });

  it("lets the person take another account, whose name is filled in", async () => {
    const visitor = await visitorOfNotes();
    const demand = { prompt: "select_account", login_hint: "bob" };
    const page = await visitor.begin(await requestAtLogin(notes, demand));
    const signIn = await visitor.send(page, "/switch");
    expect(signIn.title).toBe("Sign in to Notes");
    expect(signIn.forms.get("/sign-in")?.get("username")).toBe("bob");
    const consent = await visitor.signIn(signIn, "bob", "can-we-fix-it");
    // What Alice has allowed is not allowed by Bob.
    expect(consent.title).toBe("Allow Notes?");
    expect(consent.html).toContain("bob@example.com");
    expect(
      codeOf(await visitor.send(consent, "/consent", { answer: "allow" })),
    ).toBeDefined();
  });
});
