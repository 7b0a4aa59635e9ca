import * as v from "valibot";
import { clientId } from "../../oauth/client-metadata.ts";
import { asOAuthError, fieldError, OAuthError } from "../../oauth/errors.ts";
import { strictObject } from "../../oauth/schema.ts";
import { mayGoOn } from "../../oauth/find-client.ts";
import type { Server } from "../../oauth/server.ts";
import { subject } from "../../oauth/subject.ts";
import { now } from "../endpoint.ts";
import {
  type AdminApi,
  count,
  errorBody,
  json,
  nextCursor,
  pageQuery,
} from "./api.ts";
import { grant, grantJson } from "./grant-schemas.ts";

const subjectParameter = v.object({ subject });

const revoked = count("How many grants this request has ended.");

const listQuery = strictObject({
  ...pageQuery.entries,
  client_id: v.optional(
    v.pipe(
      clientId,
      v.description(
        "Only the grants of this client. A page may then have fewer grants than its limit, also none.",
      ),
    ),
  ),
});

/** Treats a client with a malformed record as existing, so that its grants are still listed. */
function trueIfMalformed(error: unknown): true {
  if (error instanceof OAuthError && error.reason === "record_malformed")
    return true;
  throw error;
}

/** Reads the record of each client once, however many grants of a page it has. */
function readOnce({ clients }: Pick<Server, "clients">) {
  const records = new Map<string, ReturnType<typeof clients.read>>();
  return (clientId: string) => {
    const record = records.get(clientId) ?? clients.read(clientId);
    records.set(clientId, record);
    return record;
  };
}

/** `/admin/subjects/{subject}/grants`: the grants of a user. */
export function subjectRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/subjects/{subject}/grants",
      summary: "List the grants of a user, a page at a time",
      request: { params: subjectParameter, query: listQuery },
      responses: {
        200: json(
          v.object({ grants: v.array(grant), cursor: nextCursor }),
          "A page of the grants that have not ended. Those of a disabled client are among them, and those of a deleted one while it can be restored.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { subject: name } = c.req.valid("param");
      const { limit, cursor, client_id } = c.req.valid("query");
      if (cursor !== undefined && !server.families.parseGrantId(cursor))
        throw fieldError("cursor", "must be the cursor of the page before");
      const page = await server.families.ofSubject(name, now(), limit, cursor);
      const asked = page.grants.filter(
        ({ login }) => client_id === undefined || login.client_id === client_id,
      );
      const time = now();
      const read = readOnce(server);
      const kept = await Promise.all(
        asked.map((family) =>
          mayGoOn(server, family, time, read).catch(trueIfMalformed),
        ),
      );
      const grants = asked.filter((_, position) => kept[position]);
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
        200: json(v.object({ revoked }), "Every grant of the user has ended."),
        503: json(
          v.object({ ...errorBody.entries, revoked: v.optional(revoked) }),
          "Some grants are left. Repeat the request after `Retry-After` seconds: it goes on with the rest. The sum of `revoked` over all requests is how many grants have ended.",
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
        const { revoked } = asOAuthError(error).details;
        log.addEvent("subject.logged_out", {
          subject,
          ...(revoked !== undefined && { revoked }),
          complete: false,
        });
        throw error;
      }
    },
  );
}
