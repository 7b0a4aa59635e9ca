import { describe, expect, test } from "vitest";
import { batonWithServer, fresh, run, stubServer } from "../support.ts";

const baton = batonWithServer();

/** Creates two grants of a user, at two clients. */
async function createTwoGrants(subject: string): Promise<void> {
  for (const client of [fresh("client"), fresh("client")]) {
    await baton.json("clients", "create", "--id", client);
    await baton.json(
      ["grants", "create", "--client", client],
      ["--subject", subject],
    );
  }
}

describe("baton subjects logout", () => {
  test("revokes all grants of a user, and says how many", async () => {
    const [subject, otherSubject] = [fresh("user"), fresh("user")];
    await createTwoGrants(subject);
    await createTwoGrants(otherSubject);
    expect(await baton.run("subjects", "logout", subject)).toEqual({
      code: 0,
      stdout: `Logged ${subject} out: 2 grants were revoked.\n`,
      stderr: "",
    });
    expect(await baton.json("grants", "list", subject)).toEqual({ grants: [] });
    const { grants } = (await baton.json("grants", "list", otherSubject)) as {
      grants: object[];
    };
    expect(grants).toHaveLength(2);
  });

  test("with --json, prints the response of the API", async () => {
    const subject = fresh("user");
    await createTwoGrants(subject);
    const logout = ["subjects", "logout", subject];
    expect(await baton.json(logout)).toEqual({ revoked: 2 });
    expect(await baton.json(logout)).toEqual({ revoked: 0 });
  });

  test("says that a user was not logged in anywhere", async () => {
    const subject = fresh("user");
    expect(await baton.run("subjects", "logout", subject)).toEqual({
      code: 0,
      stdout: `${subject} was not logged in anywhere.\n`,
      stderr: "",
    });
  });

  test("accepts a subject that must be encoded in a URL", async () => {
    const subject = `https://idp.example.com/${fresh("a")}?b#c%2F ü`;
    await createTwoGrants(subject);
    expect(await baton.run("subjects", "logout", subject)).toMatchObject({
      code: 0,
      stdout: `Logged ${subject} out: 2 grants were revoked.\n`,
    });
  });

  test("repeats the request if the server could not revoke all grants at once", async () => {
    const statuses = [503, 503, 200];
    const { port, requests } = await stubServer((_request, response) => {
      response.statusCode = statuses.shift() ?? 500;
      response.setHeader("Retry-After", "0");
      response.end(JSON.stringify({ revoked: 1 }));
    });
    const { code, stdout } = await run("baton", ["subjects", "logout", "bob"], {
      env: {
        BATON_URL: `http://localhost:${port}`,
        BATON_ADMIN_TOKEN: "the-admin-token-of-a-test",
      },
    });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "Logged bob out: 1 grant was revoked.\n",
    });
    expect(requests).toEqual(
      Array(3).fill("DELETE /admin/subjects/bob/grants"),
    );
  });

  test("a missing subject is a usage error", async () => {
    const { code, stdout, stderr } = await baton.run("subjects", "logout");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("missing required argument 'subject'");
  });
});
