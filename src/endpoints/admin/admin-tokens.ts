import * as v from "valibot";
import { adminTokenName } from "../../oauth/admin-token-record.ts";
import {
  deleteAdminToken,
  makeAdminToken,
  shownAdminToken,
} from "../../oauth/admin-tokens.ts";
import { timestamp } from "../../oauth/client-metadata.ts";
import { after, lifetimeProblem } from "../../oauth/duration.ts";
import { roles } from "../../oauth/roles.ts";
import { rule, strictObject } from "../../oauth/schema.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, conflict, json, named } from "./api.ts";

const name = v.pipe(
  adminTokenName,
  v.metadata({
    description:
      "The name, which is in the log with everything that the token does.",
    example: "sign-in-page",
  }),
);
const role = v.pipe(
  v.picklist(roles),
  v.description(
    "The role: admin may do everything, operator the daily work that gives nobody power, login what a sign-in needs, read may read. register may do nothing here: it is for initial access tokens, with which clients register themselves.",
  ),
);

const shown = {
  name,
  role,
  id: v.pipe(
    v.string(),
    v.description(
      "The eight characters of the token after its prefix baton_admin_, which tell tokens apart.",
    ),
  ),
  created_at: timestamp,
  created_by: v.optional(
    v.pipe(
      v.string(),
      v.description(
        "The administrator who made it: actor in the log. Left out: an older version of Baton made it.",
      ),
    ),
  ),
  expires_at: v.optional(timestamp),
};
const adminToken = named("AdminToken", v.object(shown));
const newAdminToken = named(
  "NewAdminToken",
  strictObject({
    name,
    role,
    expires_in: v.optional(
      v.pipe(
        v.string(),
        rule(lifetimeProblem),
        v.metadata({
          description:
            "The token's life, as an ISO 8601 duration. Left out: it does not expire.",
          example: "P90D",
        }),
      ),
    ),
  }),
);

/** `/admin/tokens`: the named admin tokens, beside the secret ADMIN_TOKEN. */
export function adminTokenRoutes(api: AdminApi): void {
  api.add(
    {
      method: "post",
      path: "/tokens",
      role: "admin",
      summary: "Make an admin token; it is shown this one time",
      request: {
        body: { required: true, ...json(newAdminToken, "The admin token.") },
      },
      responses: {
        201: json(
          v.object({
            ...shown,
            token: v.pipe(
              v.string(),
              v.description("The token. The server keeps only its hash."),
            ),
          }),
          "The admin token.",
        ),
        ...conflict("There is an admin token with this name."),
      },
    },
    async (c) => {
      const { administration } = await c.var.server();
      const { tokens } = await administration();
      const { name, role, expires_in } = c.req.valid("json");
      const time = now();
      const expiry = expires_in !== undefined && after(expires_in, time);
      const wanted = {
        name,
        role,
        ...(expiry && { expires_at: expiry }),
        created_by: c.var.actor,
      };
      const made = await makeAdminToken(tokens, wanted, time);
      const event = { action: "made", name, role };
      c.var.log.addEvent("admin.token_changed", event);
      return c.json(made, 201);
    },
  );

  api.add(
    {
      method: "get",
      path: "/tokens",
      role: "admin",
      summary: "List the admin tokens, expired ones too",
      responses: {
        200: json(
          v.object({ tokens: v.array(adminToken) }),
          "The admin tokens, without the secret ADMIN_TOKEN.",
        ),
      },
    },
    async (c) => {
      const { administration } = await c.var.server();
      const { tokens } = await administration();
      const entries = Object.entries(await tokens.read());
      return c.json(
        { tokens: entries.map((entry) => shownAdminToken(...entry)) },
        200,
      );
    },
  );

  api.add(
    {
      method: "delete",
      path: "/tokens/{name}",
      role: "admin",
      summary: "End an admin token",
      request: { params: v.object({ name }) },
      responses: {
        204: {
          description:
            "The token is refused: here at once, everywhere within two minutes.",
        },
      },
    },
    async (c) => {
      const { administration } = await c.var.server();
      const { tokens } = await administration();
      const { name } = c.req.valid("param");
      await deleteAdminToken(tokens, name);
      const event = { action: "ended", name };
      c.var.log.addEvent("admin.token_changed", event);
      return c.body(null, 204);
    },
  );
}
