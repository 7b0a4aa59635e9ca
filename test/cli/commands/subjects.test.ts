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

  /** A server that ends some grants per request. Each answer is a status, and how many grants it has ended. */
  async function serverThatEnds(answers: [status: number, revoked: number][]) {
    const { port } = await stubServer((_request, response) => {
      const [statusCode, revoked] = answers.shift() ?? [500, 0];
      response.statusCode = statusCode;
      if (statusCode === 503) response.setHeader("Retry-After", "0");
      const error = "temporarily_unavailable";
      response.end(
        JSON.stringify({ ...(statusCode > 200 && { error }), revoked }),
      );
    });
    return {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "the-admin-token-of-a-test",
    };
  }

  test("counts the grants of all requests, however many it takes", async () => {
    const parts = Array.from({ length: 9 }, (): [number, number] => [503, 800]);
    const env = await serverThatEnds([...parts, [200, 592]]);
    expect(await run("baton", ["subjects", "logout", "bob"], { env })).toEqual({
      code: 0,
      stdout: "Logged bob out: 7,792 grants were revoked.\n",
      stderr: "",
    });
  });

  test("says how many grants were revoked before the server failed", async () => {
    const failing = Array.from({ length: 4 }, (): [number, number] => [503, 0]);
    const env = await serverThatEnds([[503, 800], [503, 40], ...failing]);
    const { code, stdout, stderr } = await run(
      "baton",
      ["subjects", "logout", "bob"],
      { env },
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("840 grants were revoked");
    expect(stderr).toContain("run the command again");
  });

  test("a missing subject is a usage error", async () => {
    const { code, stdout, stderr } = await baton.run("subjects", "logout");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("missing required argument 'subject'");
  });
});
