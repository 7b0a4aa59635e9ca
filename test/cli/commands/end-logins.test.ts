import { describe, expect, test } from "vitest";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();

/** Creates a client with a login. @returns the client's id */
async function createLogin(subject: string): Promise<string> {
  const client = fresh("client");
  await baton.json("clients", "create", "--id", client);
  await baton.json(
    ["grants", "create", "--client", client],
    ["--subject", subject],
  );
  return client;
}

describe("baton clients end-logins", () => {
  test("ends all logins of a client, by the server's time, and says what may still work", async () => {
    const subject = fresh("user");
    const client = await createLogin(subject);
    const { code, stdout, stderr } = await baton.run([
      "clients",
      "end-logins",
      client,
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      new RegExp(
        `^Ended all logins of the client ${client} up to \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ\\.`,
      ),
    );
    expect(await baton.json("grants", "list", subject)).toEqual({ grants: [] });
    const shown = await baton.run("clients", "show", client);
    expect(shown.stdout).toMatch(/^tokens_not_before +\d{4}-.*Z$/m);
  });

  test("with --json, prints the client", async () => {
    const client = await createLogin(fresh("user"));
    expect(await baton.json("clients", "end-logins", client)).toMatchObject({
      client_id: client,
      tokens_not_before: expect.any(Number),
    });
  });

  test("says that there is no such client", async () => {
    expect(await baton.run("clients", "end-logins", "nobody")).toMatchObject({
      code: 1,
      stdout: "",
    });
  });
});
