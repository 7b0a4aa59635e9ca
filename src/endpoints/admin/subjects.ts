import * as v from "valibot";
import { timestamp } from "../../oauth/client-metadata.ts";
import { fieldError, OAuthError } from "../../oauth/errors.ts";
import { hasOwner } from "../../oauth/find-client.ts";
import type { FamilyState } from "../../oauth/repositories.ts";
import { subject } from "../../oauth/subject.ts";
import { now } from "../endpoint.ts";
import {
  type AdminApi,
  count,
  json,
  named,
  nextCursor,
  pageQuery,
} from "./api.ts";

const grant = named(
  "Grant",
  v.object({
    grant_id: v.string(),
    client_id: v.string(),
    scope: v.string(),
    created_at: timestamp,
    last_used_at: timestamp,
    expires_at: timestamp,
  }),
);

const subjectParameter = v.object({ subject });

/** Makes the JSON of a grant. */
function grantJson({
  grant_id,
  login,
  created_at,
  last_used_at,
  expires_at,
}: FamilyState & { grant_id: string }): v.InferOutput<typeof grant> {
  const { client_id } = login;
  const scope = login.scope.join(" ");
  return { grant_id, client_id, scope, created_at, last_used_at, expires_at };
}

/** Treats a client with a malformed record as existing, so that its grants are still listed. */
function trueIfMalformed(error: unknown): true {
  if (error instanceof OAuthError && error.reason === "record_malformed")
    return true;
  throw error;
}

/** `/admin/subjects/{subject}/grants`: the grants of a user. */
export function subjectRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/subjects/{subject}/grants",
      summary: "List the grants of a user, a page at a time",
      request: { params: subjectParameter, query: pageQuery },
      responses: {
        200: json(
          v.object({ grants: v.array(grant), cursor: nextCursor }),
          "A page of the grants that have not ended.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { subject: name } = c.req.valid("param");
      const { limit, cursor } = c.req.valid("query");
      if (cursor !== undefined && !server.families.parseGrantId(cursor))
        throw fieldError("cursor", "must be the cursor of the page before");
      const page = await server.families.ofSubject(name, now(), limit, cursor);
      const owned = await Promise.all(
        page.grants.map((family) =>
          hasOwner(server, family).catch(trueIfMalformed),
        ),
      );
      const grants = page.grants.filter((_, position) => owned[position]);
      return c.json({ ...page, grants: grants.map(grantJson) }, 200);
    },
  );

  api.add(
    {
      method: "delete",
      path: "/subjects/{subject}/grants",
      summary: "Log a user out everywhere; repeat it after a 503",
      request: { params: subjectParameter },
      responses: {
        200: json(
          v.object({
            revoked: count("How many grants this request has ended."),
          }),
          "Every grant of the user has ended.",
        ),
      },
    },
    async (c) => {
      const { families } = await c.var.server();
      const { subject } = c.req.valid("param");
      const { log } = c.var;
      try {
        const revoked = await families.revokeAll(subject);
        log.addEvent("subject.logged_out", {
          subject,
          revoked,
          complete: true,
        });
        return c.json({ revoked }, 200);
      } catch (error) {
        // Some logins may have ended.
        log.addEvent("subject.logged_out", { subject, complete: false });
        throw error;
      }
    },
  );
}
