import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { blocks } from "../../support/markdown.ts";
import { ISSUER } from "./server.ts";

/** The single-page app of docs/clients.md with oidc-client-ts, and what a test does in its page. */

const clientsPage = readFileSync(
  join(import.meta.dirname, "../../../docs/clients.md"),
  "utf8",
);
const [example = ""] = blocks(clientsPage, "oidc-client-ts", "js");

/** The example with the address of the local server and with another client. */
export function exampleFor({ client_id }: { client_id: string }): string {
  expect(example).toContain('"http://localhost:8787"');
  expect(example).toContain('"notes-spa"');
  return example
    .replace("http://localhost:8787", ISSUER)
    .replace("notes-spa", client_id);
}

/** A user as the library keeps it. */
export interface User {
  access_token: string;
  refresh_token: string;
  scope: string;
  /** Empty without the scope openid. */
  id_token?: string;
  profile: Record<string, unknown>;
}

/** Evaluates an expression in the app, where `users` is its manager and `UserManager` and `User` are the library's. */
export function inApp<T>(page: Page, expression: string): Promise<T> {
  return page.evaluate<T>(`(async () => {
    const { User, UserManager } = await import("oidc-client-ts");
    const { users } = await import("/app.js");
    return ${expression};
  })()`);
}

/** The OAuth error, or else the message, with which an expression is rejected in the app; "none" if it is not. */
export function errorOf(page: Page, expression: string): Promise<string> {
  return page.evaluate<string>(`(async () => {
    const { User, UserManager } = await import("oidc-client-ts");
    const { users } = await import("/app.js");
    await ${expression};
    return "none";
  })().catch(({ error, message }) => error ?? message)`);
}

export function user(page: Page): Promise<User> {
  return inApp(page, "users.getUser().then((user) => ({ ...user }))");
}

/** Rejects with the first error that the app throws, or reports on its console. It does not resolve. */
export function failure(page: Page): Promise<never> {
  return new Promise((_, reject) => {
    page.once("pageerror", reject);
    page.on("console", (message) => {
      if (message.type() === "error") reject(new Error(message.text()));
    });
  });
}

/** Waits for an error that the app reports on its console. @returns the OAuth error, or else the message */
export async function reportedError(page: Page): Promise<string> {
  const message = await page.waitForEvent("console", {
    predicate: (one) => one.type() === "error",
  });
  const [error] = message.args();
  if (error === undefined) return message.text();
  return error.evaluate(
    (value: string | { error?: string; message: string }) =>
      typeof value === "string" ? value : (value.error ?? value.message),
  );
}

/** Refreshes in the app. @returns the new tokens */
export function refreshed(page: Page): Promise<User> {
  return inApp(page, "users.signinSilent().then((user) => ({ ...user }))");
}
