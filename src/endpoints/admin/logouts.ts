import * as v from "valibot";
import {
  decideLogout,
  describeLogout,
  encryptedLogout,
  endedSession,
} from "../../oauth/logout/end-session.ts";
import { clientId, timestamp } from "../../oauth/client-metadata.ts";
import { strictObject } from "../../oauth/schema.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, errorBody, json, named } from "./api.ts";

function told(meaning: string) {
  return v.optional(v.pipe(v.string(), v.description(meaning)));
}

const description = named(
  "LogoutDescription",
  v.object({
    client_id: v.optional(
      v.pipe(clientId, v.description("Left out: the request names no client.")),
    ),
    client_name: v.optional(v.string()),
    subject: told("The user, by the ID token that the app has sent."),
    sid: told(
      "The session, by that ID token. Left out: the login gave none, and the sid of the ID token stands for its grant.",
    ),
    post_logout_redirect_uri: told(
      "The URI to which the browser is redirected at the end. Left out: the login shows a page of its own.",
    ),
    ui_locales: told(
      "As the client sent it: the languages that the user prefers.",
    ),
    logout_hint: told("As the client sent it: who is to be signed out."),
    is_confirmed: v.pipe(
      v.boolean(),
      v.description(
        "true: the app has sent an ID token of the user, whose login at the app had not ended. It may be another user than the one who is signed in at the login. false: any site may have sent the browser, so the login asks the user first.",
      ),
    ),
    expires_at: v.pipe(
      timestamp,
      v.description(
        "The end of the request, in seconds since 1970: afterwards it cannot be decided.",
      ),
    ),
  }),
);

/** `/admin/logouts`: the login describes a logout request, and reports that it has ended its session. */
export function logoutRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/logouts",
      role: "login",
      summary: "Describe a logout request, for the login",
      request: { query: strictObject({ request: encryptedLogout }) },
      responses: { 200: json(description, "The logout request.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { request } = c.req.valid("query");
      const { log } = c.var;
      return c.json(await describeLogout(server, request, now(), log), 200);
    },
  );

  api.add(
    {
      method: "post",
      path: "/logouts",
      role: "login",
      summary:
        "Report that the login has ended its session: every grant of the session ends; may be repeated",
      request: {
        body: {
          required: true,
          ...json(endedSession, "The request, and the session that has ended."),
        },
      },
      responses: {
        200: json(
          v.object({
            redirect_to: v.optional(
              v.pipe(
                v.string(),
                v.description(
                  "The URL to redirect the browser to. Left out: the app has named none, so the login shows a page of its own.",
                ),
              ),
            ),
          }),
          "The grants of the session have ended.",
        ),
        503: json(
          errorBody,
          "Some grants of the session are left. Repeat the request after `Retry-After` seconds. Without that header the user has too many grants: end all of them.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const ended = c.req.valid("json");
      return c.json(await decideLogout(server, ended, now(), c.var.log), 200);
    },
  );
}
