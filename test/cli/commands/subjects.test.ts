import { describe, expect, test } from "vitest";
import { batonWithServer, fresh, run, stubServer } from "../support.ts";

const baton = batonWithServer();

/** Logs a user in at two clients, each a family of tokens. */
async function logInTwice(subject: string): Promise<void> {
  for (const client of [fresh("client"), fresh("client")]) {
    await baton.json("clients", "create", "--id", client);
    await baton.json(
      ["grants", "create", "--client", client],
      ["--subject", subject],
    );
  }
}

describe("baton subjects logout", () => {
  test("ends every login of a user, and says how many", async () => {
    const [subject, bystander] = [fresh("user"), fresh("user")];
    await logInTwice(subject);
    await logInTwice(bystander);
    expect(await baton.run("subjects", "logout", subject)).toEqual({
      code: 0,
      stdout: `Logged ${subject} out: 2 logins have ended.\n`,
      stderr: "",
    });
    expect(await baton.json("grants", "list", subject)).toEqual({ grants: [] });
    const { grants } = (await baton.json("grants", "list", bystander)) as {
      grants: object[];
    };
    expect(grants).toHaveLength(2);
  });

  test("with --json it prints what the API answers", async () => {
    const subject = fresh("user");
    await logInTwice(subject);
    const logout = ["subjects", "logout", subject];
    expect(await baton.json(logout)).toEqual({ revoked: 2 });
    expect(await baton.json(logout)).toEqual({ revoked: 0 });
  });

  test("of a user who is logged in nowhere it says so", async () => {
    const subject = fresh("user");
    expect(await baton.run("subjects", "logout", subject)).toEqual({
      code: 0,
      stdout: `${subject} was not logged in anywhere.\n`,
      stderr: "",
    });
  });

  test("takes a user whose name a URL has to encode", async () => {
    const subject = `https://idp.example.com/${fresh("a")}?b#c%2F ü`;
    await logInTwice(subject);
    expect(await baton.run("subjects", "logout", subject)).toMatchObject({
      code: 0,
      stdout: `Logged ${subject} out: 2 logins have ended.\n`,
    });
  });

  test("goes on where the server could not do all at once", async () => {
    const answers = [503, 503, 200];
    const { port, requests } = await stubServer((_request, response) => {
      response.statusCode = answers.shift() ?? 500;
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
      stdout: "Logged bob out: 1 login has ended.\n",
    });
    expect(requests).toEqual(
      Array(3).fill("DELETE /admin/subjects/bob/grants"),
    );
  });

  test("without a user it is a usage error", async () => {
    const { code, stdout, stderr } = await baton.run("subjects", "logout");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("missing required argument 'subject'");
  });
});
