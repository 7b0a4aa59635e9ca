import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { Tokens } from "../../../src/index.ts";
import {
  keys,
  leagueServer,
  oldToken,
  takeOver,
} from "../../support/league.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { reasonOf } from "../../support/request-lines.ts";
import type { TestClient } from "../../support/server.ts";

/**
 * Tests that a token is revoked for good while its client is disabled or deleted: the client may come back, and the
 * token must not.
 */

const server = leagueServer("defuse");

beforeAll(() => server.makeScopes("read"));

/** Both doors of an administrator. */
const doors: [string, (token: string) => Promise<unknown>][] = [
  [
    "POST /admin/revoke",
    (token) => server.expectAdmin("POST", "/revoke", { token }),
  ],
  [
    "Tokens.revoke",
    (token) => {
      const bindings = { ...env, LEAGUE_ENCRYPTION_KEY: keys.defuse.value };
      return new Tokens(createExecutionContext(), bindings).revoke(token);
    },
  ],
];

const pathOf = ({ client_id }: TestClient) => `/clients/${client_id}`;

/** How a client goes, and how it comes back. */
const absences: [
  string,
  (client: TestClient) => Promise<unknown>,
  (client: TestClient) => Promise<unknown>,
][] = [
  [
    "disabled",
    (client) => server.expectAdmin("PATCH", pathOf(client), { disabled: true }),
    (client) =>
      server.expectAdmin("PATCH", pathOf(client), { disabled: false }),
  ],
  [
    "deleted",
    (client) => server.expectAdmin("DELETE", pathOf(client)),
    (client) => server.expectAdmin("POST", `${pathOf(client)}/restore`),
  ],
];

/** A login, with the token that is revoked and the one that must not work any more. */
type Login = { client: TestClient; revoked: string; refreshed: string };

async function ownLogin(
  which: "access_token" | "refresh_token",
): Promise<Login> {
  const client = await server.makeClient({ scope: "read" });
  const tokens = await server.login(client);
  return { client, revoked: tokens[which], refreshed: tokens.refresh_token };
}

async function oldLogin(): Promise<Login> {
  const client_id = `old-${crypto.randomUUID()}`;
  const client = await takeOver(server, client_id);
  const token = await oldToken({ client_id, scopes: ["read"] });
  return { client, revoked: token, refreshed: token };
}

const tokens: [string, () => Promise<Login>, string][] = [
  ["an access token", () => ownLogin("access_token"), "family_ended"],
  ["a refresh token", () => ownLogin("refresh_token"), "family_ended"],
  [
    "a token of the old server that was not exchanged",
    oldLogin,
    "league_token_revoked",
  ],
];

describe.each(absences)("while its client is %s", (_, leave, comeBack) => {
  describe.each(doors)("%s", (_door, revoke) => {
    it.each(tokens)(
      "ends the login of %s, also for when the client is back",
      async (_token, logIn, reason) => {
        const { client, revoked, refreshed } = await logIn();
        await leave(client);
        const lines = listenToLog();
        await revoke(revoked);
        await revoke(revoked);
        const events = parsedLog(lines).filter(
          ({ event }) => event === "family.revoked",
        );
        expect(events).toMatchObject([{ by: "administrator" }]);
        await comeBack(client);
        const response = await server.refresh(client, refreshed);
        expect([response.status, reasonOf(response)]).toEqual([400, reason]);
      },
    );
  });
});

describe("a token of the old server that is revoked while its client is disabled", () => {
  it("is said to have ended now, and at the second time to have ended before", async () => {
    const { client, revoked: token } = await oldLogin();
    await server.expectAdmin("PATCH", pathOf(client), { disabled: true });
    for (const revoked of [true, false])
      expect(
        await server.expectAdmin("POST", "/revoke", { token }),
      ).toMatchObject({ revoked, client_id: client.client_id, subject: "42" });
  });
});
