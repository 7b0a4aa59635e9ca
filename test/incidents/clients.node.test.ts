import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverWithFault } from "../cli/broken-server.ts";
import { batonWithServer, fresh } from "../cli/support.ts";
import { makeProofKey, proof } from "../support/dpop.ts";
import { commandInText, commandsOf } from "./page.ts";
import { type Credentials, eventually, Stage } from "./server.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

/**
 * Plays the incidents of clients, users and admin tokens. Not tried: the two minutes until another location knows of a
 * change.
 */

const baton = batonWithServer();
let terminal: Terminal;
let stage: Stage;

beforeAll(() => {
  const { server } = baton;
  const { ADMIN_TOKEN } = server.secrets;
  terminal = openTerminal({
    env: { BATON_URL: server.url, BATON_ADMIN_TOKEN: ADMIN_TOKEN },
  });
  stage = new Stage(
    server.url,
    () => ADMIN_TOKEN,
    () => server.output,
  );
});

afterAll(() => {
  terminal.close();
});

const ended = { error: "invalid_grant" };
const refusedClient = { error: "invalid_client" };
const goesOn = { refresh_token: expect.stringMatching(/^baton_rt_/) };

/** A client and a user of its own for each test, and what the page calls them. */
async function cast() {
  const client = await stage.makeClient({ client_id: fresh("client") });
  const alice = fresh("user");
  return { client, alice, own: { web: client.client_id, alice } };
}

/** Resolves when a user can sign in again after `clients logout`, which ends what began in its own second. */
async function signInAgain(client: Credentials, subject: string) {
  const path = `/clients/${client.client_id}`;
  const { tokens_not_before = 0 } = await stage.expectAdmin<{
    tokens_not_before?: number;
  }>("GET", path);
  await eventually(() => Math.floor(Date.now() / 1000)).toBeGreaterThan(
    tokens_not_before,
  );
  return stage.login(client, subject);
}

/** Resolves when the log has a line, which comes a moment after the answer. */
async function logHas(line: object): Promise<void> {
  await eventually(() => stage.log).toContainEqual(
    expect.objectContaining(line),
  );
}

function secretIn(output: string): string {
  return /^client_secret +(baton_cs_\S+)$/m.exec(output)?.[1] ?? "";
}

describe("An admin token has leaked", () => {
  const [remove = "", , , endLogins = ""] = commandsOf(
    "An admin token has leaked",
  );

  test("a named one: it is refused, and the logins that it made are found and ended", async () => {
    const { client, alice } = await cast();
    const own = await stage.login(client, alice);
    const { token } = await stage.expectAdmin<{ token: string }>(
      "POST",
      "/tokens",
      {
        name: "alice",
        role: "login",
      },
    );
    const stolen = await stage.login(client, alice, token);

    await terminal.type(remove);
    const answer = await stage.admin("POST", "/grants", {}, token);
    expect(answer.status).toBe(401);
    await logHas({
      event: "admin.denied",
      reason: "admin_token_wrong",
    });
    const grants = () => stage.grantsOf("token:alice");
    await eventually(grants).toHaveLength(1);
    writeFileSync(
      join(terminal.directory, "grants.txt"),
      `${grants().join()}\n`,
    );
    await terminal.type(endLogins);

    expect(await stage.refresh(client, stolen.refresh_token)).toMatchObject(
      ended,
    );
    expect(await stage.refresh(client, own.refresh_token)).toMatchObject(
      goesOn,
    );
  });
});

describe("A client's secret has leaked", () => {
  const [rotate = "", logout = ""] = commandsOf("A client's secret has leaked");

  test("the old secret is refused, what a thief has begun ends, and all users of the client sign in again", async () => {
    const { client, alice, own } = await cast();
    const others = await cast();
    const elsewhere = await stage.login(others.client, alice);
    const login = await stage.login(client, alice);
    const robbed = await stage.login(client, alice);
    const stolen = await stage.refresh(client, robbed.refresh_token);

    const output = await terminal.type(rotate, own);
    const renewed = { ...client, client_secret: secretIn(output) };
    expect(await stage.refresh(client, stolen.refresh_token)).toMatchObject(
      refusedClient,
    );
    await logHas({
      event: "client_authentication.failed",
      client_id: client.client_id,
    });
    const kept = await stage.refresh(renewed, login.refresh_token);
    expect(kept).toMatchObject(goesOn);

    await terminal.type(logout, own);
    for (const { refresh_token } of [stolen, kept])
      expect(await stage.refresh(renewed, refresh_token)).toMatchObject(ended);
    const again = await signInAgain(client, alice);
    expect(await stage.refresh(renewed, again.refresh_token)).toMatchObject(
      goesOn,
    );
    expect(
      await stage.refresh(others.client, elsewhere.refresh_token),
    ).toMatchObject(goesOn);
  });
});

describe("A client is compromised", () => {
  const [stop = "", goOn = ""] = commandsOf("A client is compromised");

  test("nobody gets tokens by it at once, stolen tokens never work again, and users sign in anew", async () => {
    const { client, alice, own } = await cast();
    const others = await cast();
    const elsewhere = await stage.login(others.client, alice);
    const stolen = await stage.login(client, alice);

    await terminal.type(stop, own);
    expect(await stage.refresh(client, stolen.refresh_token)).toMatchObject(
      refusedClient,
    );
    expect(
      (
        await stage.admin("POST", "/grants", {
          client_id: client.client_id,
          subject: alice,
        })
      ).status,
    ).toBe(400);
    expect(
      await stage.refresh(others.client, elsewhere.refresh_token),
    ).toMatchObject(goesOn);

    const output = await terminal.type(goOn, own);
    const renewed = { ...client, client_secret: secretIn(output) };
    expect(await stage.refresh(client, stolen.refresh_token)).toMatchObject(
      refusedClient,
    );
    expect(await stage.refresh(renewed, stolen.refresh_token)).toMatchObject(
      ended,
    );
    expect(await stage.isActive(renewed, stolen.access_token)).toBe(false);
    const again = await signInAgain(client, alice);
    expect(await stage.refresh(renewed, again.refresh_token)).toMatchObject(
      goesOn,
    );
  });
});

describe("A phone was stolen", () => {
  const [list = "", revoke = "", logout = ""] =
    commandsOf("A phone was stolen");

  test("its login ends at once, and no other; or all of the user's end", async () => {
    const { client, alice, own } = await cast();
    const laptop = await stage.login(client, alice);
    const { client: app } = await cast();
    const phone = await stage.login(app, alice);

    const listed = await terminal.type(list, own);
    const row = new RegExp(`^(\\S+) +${app.client_id} `, "m").exec(listed);
    terminal.env["GRANT_ID"] = row?.[1] ?? "";
    await terminal.type(revoke, own);
    expect(await stage.refresh(app, phone.refresh_token)).toMatchObject(ended);
    expect(await stage.isActive(app, phone.access_token)).toBe(false);
    expect(await terminal.type(list, own)).not.toContain(app.client_id);
    const kept = await stage.refresh(client, laptop.refresh_token);
    expect(kept).toMatchObject(goesOn);

    await terminal.type(logout, own);
    expect(await stage.refresh(client, kept.refresh_token)).toMatchObject(
      ended,
    );
    expect(await terminal.type(list, own)).toContain(
      "is not logged in anywhere",
    );
  });
});

describe("A token was stolen", () => {
  const [show = "", revoke = "", logout = ""] =
    commandsOf("A token was stolen");

  test("its login goes on until it is ended; or all of the client end", async () => {
    const client = await stage.makeClient({
      client_id: fresh("client"),
      token_endpoint_auth_method: "none",
    });
    const [alice, bob] = [fresh("user"), fresh("user")];
    const key = await makeProofKey();
    const dpop_jkt = key.jkt;
    const login = (subject: string) =>
      stage.expectAdmin<{ refresh_token: string }>("POST", "/grants", {
        client_id: client.client_id,
        subject,
        dpop_jkt,
      });
    const stolen = await login(alice);
    const other = await login(bob);
    const steal = async ({ refresh_token }: { refresh_token: string }) =>
      (await stage.refresh(client, refresh_token)).error;
    expect(await steal(stolen)).toBe("invalid_dpop_proof");
    const event = "refresh_token.stolen";
    const alarm = () =>
      stage.log.find(
        (line) => line.event === event && line["subject"] === alice,
      );
    await eventually(alarm).toMatchObject({ reason: "proof_missing" });

    terminal.env["GRANT_ID"] = String(alarm()?.["grant_id"]);
    expect(await terminal.type(show, { alice })).toContain(alice);
    await terminal.type(revoke, { alice });
    expect(await steal(stolen)).toBe("invalid_grant");
    expect(await steal(other)).toBe("invalid_dpop_proof");
    await terminal.type(logout, { web: client.client_id });
    const htu = `${stage.url}/access_token`;
    const holders = await fetch(htu, {
      method: "POST",
      headers: { DPoP: await proof(key, { htm: "POST", htu }) },
      body: new URLSearchParams({
        grant_type: "refresh_token",
        client_id: client.client_id,
        refresh_token: other.refresh_token,
      }),
    });
    expect(await holders.json()).toMatchObject(ended);
  });
});

describe("Reuse alarms go up", () => {
  const [allow = "", logout = ""] = commandsOf("Reuse alarms go up");

  /** The reuses of a user's tokens. */
  const alarms = (subject: string) =>
    stage.log.filter(
      (line) =>
        line.event === "refresh_token.reused" && line["subject"] === subject,
    );

  test("late_retry: with a window the repeated request gets its answer, until the window is taken back", async () => {
    const { client, alice, own } = await cast();
    /** Sends a refresh twice, because the answer was lost. */
    const loseAnswer = async () => {
      const { refresh_token } = await stage.login(client, alice);
      const lost = await stage.refresh(client, refresh_token);
      return [lost, await stage.refresh(client, refresh_token)] as const;
    };
    const [, refused] = await loseAnswer();
    expect(refused).toMatchObject(ended);
    const { client_id } = client;
    await eventually(() => alarms(alice)).toMatchObject([
      { looks_like: "late_retry", client_id },
    ]);

    await terminal.type(allow, own);
    const [lost, repeated] = await loseAnswer();
    expect(repeated.refresh_token).toBe(lost.refresh_token);

    const takeBack =
      "npm run baton -- clients update web --unset refresh_token_retry_window";
    await terminal.type(commandInText(takeBack), own);
    expect((await loseAnswer())[1]).toMatchObject(ended);
  });

  test("theft: the alarm names the user, whose other logins end as well", async () => {
    const { client, alice, own } = await cast();
    const first = await stage.login(client, alice);
    const other = await stage.login(client, alice);
    const thief = await stage.refresh(client, first.refresh_token);
    const later = await stage.refresh(client, thief.refresh_token);
    expect(await stage.refresh(client, first.refresh_token)).toMatchObject(
      ended,
    );
    await eventually(() => alarms(alice)).toMatchObject([
      { looks_like: "theft" },
    ]);
    // The alarm has ended that login already.
    expect(await stage.refresh(client, later.refresh_token)).toMatchObject(
      ended,
    );

    await terminal.type(logout, own);
    expect(await stage.refresh(client, other.refresh_token)).toMatchObject(
      ended,
    );
  });
});

describe("The wrong client was deleted", () => {
  const [restore = ""] = commandsOf("The wrong client was deleted");

  test("it comes back with its secret and its logins", async () => {
    const { client, alice, own } = await cast();
    const { refresh_token } = await stage.login(client, alice);
    await terminal.type("npm run baton -- clients delete web", own);
    expect(await stage.refresh(client, refresh_token)).toMatchObject(
      refusedClient,
    );
    await logHas({
      event: "client.changed",
      action: "deleted",
      client_id: client.client_id,
    });

    const output = await terminal.type(restore, own);
    expect(output).toContain(`Restored the client ${client.client_id}`);
    expect(await stage.refresh(client, refresh_token)).toMatchObject(goesOn);
    const show = commandInText("npm run baton -- clients show web");
    expect(await terminal.type(show, own)).toContain(client.client_id);
  });
});

describe("KV or Durable Objects fail", () => {
  const [doctor = ""] = commandsOf("KV or Durable Objects fail");

  test("doctor names what does not answer, and finds nothing wrong when all is well", async () => {
    const env = await serverWithFault({ unbound: ["LEAGUE_LEDGER"] });
    const failing = openTerminal({ env });
    await expect(
      failing.type(doctor).finally(() => failing.close()),
    ).rejects.toMatchObject({
      stdout: expect.stringMatching(/^✗ storage: LEAGUE_LEDGER/m),
    });
    expect(await terminal.type(doctor)).not.toContain("✗");
  });
});
