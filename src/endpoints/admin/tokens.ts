import type { Context } from "hono";
import * as v from "valibot";
import { timestamp } from "../../oauth/client-metadata.ts";
import { fieldError } from "../../oauth/errors.ts";
import type { Role } from "../../oauth/roles.ts";
import { strictObject, maxCharacters } from "../../oauth/schema.ts";
import type { Server } from "../../oauth/server.ts";
import type { TokenContent } from "../../oauth/token-kind.ts";
import { keysOf } from "../../oauth/tokens/bound-keys.ts";
import {
  endLogin,
  type Ending,
  type Inspection,
  inspectToken,
} from "../../oauth/tokens/inspection.ts";
import { type AppEnv, networkOf, now } from "../endpoint.ts";
import { type AdminApi, count, json, named } from "./api.ts";
import {
  boundKeys,
  grantDetails,
  grantDetailsJson,
  inactiveBecause,
  subjectType,
} from "./grant-schemas.ts";

const body = {
  required: true,
  ...json(
    strictObject({
      token: v.pipe(
        v.string(),
        v.minLength(1),
        maxCharacters(16_384),
        v.description(
          "An access token or a refresh token, also one of the old server. It may have expired.",
        ),
      ),
    }),
    "The token.",
  ),
} as const;

/** Whose a token is. */
const ofLogin = {
  grant_id: v.optional(
    v.pipe(
      v.string(),
      v.description(
        "The grant that the token belongs to. Left out: none, because the token is the client's own.",
      ),
    ),
  ),
  client_id: v.optional(v.string()),
  subject: v.optional(v.string()),
};

const inspected = named(
  "InspectedToken",
  v.object({
    active: v.pipe(
      v.boolean(),
      v.description("Whether its client would learn that it is active."),
    ),
    inactive_because: inactiveBecause,
    kind: v.optional(
      v.picklist(["access_token", "refresh_token", "league_token", "id_token"]),
    ),
    ...ofLogin,
    sub_type: subjectType,
    scope: v.optional(v.string()),
    resource: v.optional(
      v.pipe(
        v.array(v.string()),
        v.description(
          "The audiences of an access token, or those that the grant of a refresh token names.",
        ),
      ),
    ),
    cnf: boundKeys("token is", "it is a bearer token"),
    issued_at: v.optional(timestamp),
    expires_at: v.optional(timestamp),
    generation: v.optional(
      count("The number of a refresh token in its grant. The first has 1."),
    ),
    grant: v.optional(grantDetails),
  }),
);

/** `/admin/introspect` and `/admin/revoke`: a token that an administrator holds. No client is needed. */
export function tokenRoutes(api: AdminApi): void {
  api.add(
    {
      method: "post",
      path: "/introspect",
      summary: "Say what a token is, and why it is not active; changes nothing",
      role: "read",
      request: { body },
      responses: {
        200: json(inspected, "What the server knows of the token."),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { token } = c.req.valid("json");
      const inspection = await inspectToken(server, token, by(c), now());
      const role = c.var.administrator?.role;
      return c.json(await inspectedJson(server, role, inspection), 200);
    },
  );

  api.add(
    {
      method: "post",
      path: "/revoke",
      summary: "End the grant of a token; may be repeated",
      request: { body },
      responses: {
        200: json(
          v.object({
            revoked: v.pipe(
              v.boolean(),
              v.description("false: the grant had ended before."),
            ),
            ...ofLogin,
          }),
          "The grant has ended: none of its refresh tokens is valid.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { token } = c.req.valid("json");
      const inspection = await inspectToken(server, token, by(c), now());
      const ending = await endLogin(server, inspection, by(c), now());
      const { content, family } = inspection;
      const id = grantIdOf(server, content);
      const problem = problemOf(ending, id?.grant_id);
      if (problem !== undefined) throw fieldError("token", problem);
      const { client_id, subject } = family?.login ?? content?.login ?? {};
      return c.json(
        {
          revoked: ending === "ended",
          ...id,
          ...(client_id !== undefined && { client_id }),
          ...(subject !== undefined && { subject }),
        },
        200,
      );
    },
  );
}

function by(c: Context<AppEnv>) {
  return { network: () => networkOf(c), log: c.var.log };
}

/** Says why no login was ended. @returns undefined if the token's login has ended, now or before */
function problemOf(ending: Ending, grantId = ""): string | undefined {
  const problems: Partial<Record<Ending, string>> = {
    not_of_server:
      "is not a token of this server, or it was changed, or its key was removed",
    of_client:
      "is the client's own access token, which belongs to no grant: only tokens_not_before of the client ends it",
    id_token: `is an ID token, which ends no grant. Its grant is ${grantId}: end that by its id if you mean it`,
    not_issued: `names the grant ${grantId} but was not issued for it: end the grant by its id if you mean it`,
  };
  return problems[ending];
}

function grantIdOf({ families }: Server, content: TokenContent | undefined) {
  return (
    content?.family_id && { grant_id: families.grantIdOf(content.family_id) }
  );
}

async function inspectedJson(
  server: Server,
  role: Role | undefined,
  { inactive, content, family }: Inspection,
): Promise<v.InferOutput<typeof inspected>> {
  const state = {
    active: inactive === undefined,
    ...(inactive && { inactive_because: inactive }),
  };
  if (!content) return state;
  const { kind, generation, issued_at, expires_at } = content;
  const login = content.login ?? family?.login;
  const id = grantIdOf(server, content);
  const cnf = keysOf(content, family);
  return {
    ...state,
    kind,
    ...id,
    ...(login && {
      client_id: login.client_id,
      subject: login.subject,
      ...(login.sub_type && { sub_type: login.sub_type }),
      ...(login.scope && { scope: login.scope.join(" ") }),
      ...(login.resource && { resource: login.resource }),
    }),
    ...(cnf && { cnf }),
    ...(issued_at !== undefined && { issued_at }),
    expires_at,
    ...(generation !== undefined && { generation }),
    ...(id &&
      family && {
        grant: await grantDetailsJson(server, role, id.grant_id, family, now()),
      }),
  };
}
