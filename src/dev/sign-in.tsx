import type { Context } from "hono";
import {
  type AppEnv,
  type Endpoint,
  now,
  redirect,
} from "../endpoints/endpoint.ts";
import { page, refusalPage } from "../endpoints/page.ts";
import {
  type Decision,
  decideAuthorization,
} from "../oauth/authorization/decide.ts";
import { describeAuthorization } from "../oauth/authorization/describe.ts";
import { readForm } from "../oauth/parameters.ts";
import type { Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";
import { fieldNames, readAnswer, typedIn } from "./sign-in-answer.ts";
import { nameOf } from "./stranger.tsx";
import {
  PATH,
  type FormValues,
  SignInForm,
  StartAtApp,
  style,
} from "./sign-in-form.tsx";

/** The development sign-in page: `LOGIN_URL` of a local server, without passwords (docs/login.md). */

/**
 * On for an issuer with plain http only, which a public server cannot have. So the page is not there even if this
 * file is deployed by accident.
 */
function isOn({ issuer, login_url }: Settings): boolean {
  return issuer.startsWith("http:") && login_url === issuer + PATH;
}

/**
 * Shows an authorization request, and asks for the name to sign in with. So it does all that `login`, `consent`
 * and `select_account` of `prompt` ask for; `none` is answered with `login_required`.
 */
export const signInPage: Endpoint = {
  path: PATH,
  method: "GET",
  cors: false,
  isOn,
  renderError: refusalPage,

  async respond(c) {
    const server = await c.var.server();
    const request = c.req.query("request");
    if (request === undefined) return startAtApp(c);
    const { log } = c.var;
    const description = await describeAuthorization(
      server,
      request,
      now(),
      log,
    );
    if (description.prompt === "none") {
      // The app forbids a page, and nobody stays signed in here.
      const decision = { request, error: "login_required" as const };
      return answerApp(c, server, decision);
    }
    const { login_hint = "", hinted_subject = login_hint } = description;
    const email = login_hint.includes("@") ? login_hint : "";
    const typed = { subject: hinted_subject, email };
    return showForm(c, { request, description, typed });
  },
};

/** Decides the request by the person's answer, and redirects the browser to the client. */
export const signIn: Endpoint = {
  path: PATH,
  method: "POST",
  cors: false,
  isOn,
  renderError: refusalPage,

  async respond(c) {
    const server = await c.var.server();
    const form = readForm(
      c.req.header("Content-Type"),
      await c.req.arrayBuffer(),
      ["request", "answer", ...fieldNames],
    );
    const request = form.required("request");
    const { log } = c.var;
    const description = await describeAuthorization(
      server,
      request,
      now(),
      log,
    );
    const answer = readAnswer(form, now());
    if ("problem" in answer) {
      const { problem } = answer;
      const checkedScopes = form.all("scope");
      const typed = typedIn(form);
      const values = { request, description, typed, checkedScopes, problem };
      return showForm(c, values);
    }
    const { needs_consent } = description;
    // The page has shown all that a person must see of such an app.
    const agreed = needs_consent && "subject" in answer;
    const consent = agreed ? { consent: true as const } : {};
    return answerApp(c, server, { request, ...answer, ...consent });
  },
};

/** Decides the request, and redirects the browser to the client. */
async function answerApp(
  c: Context<AppEnv>,
  server: Server,
  decision: Decision,
) {
  const { log } = c.var;
  const { redirect_to } = await decideAuthorization(
    server,
    decision,
    Date.now(),
    log,
  );
  return redirect(c, redirect_to);
}

function startAtApp(c: Context<AppEnv>) {
  return page(c, "Start at an app", <StartAtApp />, { status: 400 });
}

function showForm(c: Context<AppEnv>, values: FormValues) {
  const name = nameOf(values.description);
  const status = values.problem === undefined ? 200 : 400;
  const content = <SignInForm name={name} {...values} />;
  return page(c, `Sign in to ${name}`, content, { status, extraStyle: style });
}
