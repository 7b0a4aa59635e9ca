import type { Context } from "hono";
import {
  type AppEnv,
  type Endpoint,
  now,
  redirect,
} from "../endpoints/endpoint.ts";
import { page, refusalPage } from "../endpoints/page.ts";
import { decideAuthorization } from "../oauth/authorization/decide.ts";
import { describeAuthorization } from "../oauth/authorization/describe.ts";
import { type Parameters, readForm } from "../oauth/parameters.ts";
import { isLoopback } from "../oauth/redirect-uri.ts";
import type { Settings } from "../oauth/settings.ts";
import { subject as subjectSchema } from "../oauth/subject.ts";
import {
  PATH,
  SignInForm,
  StartElsewhere,
  style,
  type View,
} from "./sign-in-form.tsx";

/** The development sign-in page: a login (see DESIGN, "Login is delegated") without passwords. */

/** Belt and braces: should this file ever be deployed, it is still not there. */
function isOn({ issuer, login_url }: Settings): boolean {
  return isLoopback(issuer) && login_url === issuer + PATH;
}

/** Shows what a client asks for, and asks who the person wants to be. */
export const signInPage: Endpoint = {
  path: PATH,
  method: "GET",
  cors: false,
  isOn,
  renderError: refusalPage,

  async respond(c) {
    const server = await c.var.server();
    const request = c.req.query("request");
    if (request === undefined) return startElsewhere(c);
    const { log } = c.var;
    const asked = await describeAuthorization(server, request, now(), log);
    return show(c, { request, asked, subject: asked.login_hint ?? "" });
  },
};

/** Takes the person's answer and sends the browser back to the client. */
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
      ["request", "subject", "answer"],
    );
    const request = form.required("request");
    const { log } = c.var;
    const asked = await describeAuthorization(server, request, now(), log);
    const decision = readDecision(form);
    if ("problem" in decision) {
      const { problem } = decision;
      const chosen = form.all("scope");
      const subject = form.optional("subject") ?? "";
      return show(c, { request, asked, subject, chosen, problem });
    }
    const { redirect_to } = await decideAuthorization(
      server,
      { request, ...decision },
      Date.now(),
      log,
    );
    return redirect(c, redirect_to);
  },
};

function readDecision(form: Parameters) {
  if (form.required("answer") !== "allow")
    return { error: "access_denied" as const };
  const name = form.optional("subject");
  if (name === undefined) return { problem: "Type a name." };
  const subject = subjectSchema.safeParse(name);
  if (subject.success)
    return { subject: subject.data, scope: form.all("scope").join(" ") };
  const problems = subject.error.issues.map(({ message }) => message);
  return { problem: `Your name ${problems.join(", and ")}.` };
}

/** Who opens the page by hand. */
function startElsewhere(c: Context<AppEnv>) {
  return page(c, "Start at an app", <StartElsewhere />, { status: 400 });
}

function show(c: Context<AppEnv>, view: View) {
  const name = view.asked.client_name ?? view.asked.client_id;
  const status = view.problem === undefined ? 200 : 400;
  const content = <SignInForm name={name} {...view} />;
  return page(c, `Sign in to ${name}`, content, { status, more: style });
}
