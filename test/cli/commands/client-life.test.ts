import { describe, expect, test } from "vitest";
import { type Args, batonWithServer, fresh, stubServer } from "../support.ts";
import { run } from "../support.ts";

const baton = batonWithServer();

async function freshClient(...options: Args): Promise<string> {
  const id = `${fresh("client")}-${crypto.randomUUID()}`;
  await baton.json("clients", "create", "--id", id, ...options);
  return id;
}

async function login(client: string): Promise<string> {
  const subject = fresh("user");
  await baton.json(
    ["grants", "create", "--client", client],
    ["--subject", subject],
  );
  return subject;
}

interface Shown {
  grant_id: string;
  inactive_because?: string;
}

/** For each login of a user, the reason why it is not active, or `active`. */
async function loginsOf(subject: string): Promise<string[]> {
  const { grants } = (await baton.json("grants", "list", subject)) as {
    grants: Shown[];
  };
  const shown = grants.map(
    ({ grant_id }) => baton.json("grants", "show", grant_id) as Promise<Shown>,
  );
  return (await Promise.all(shown)).map(
    ({ inactive_because = "active" }) => inactive_because,
  );
}

describe("baton clients disable and enable", () => {
  test("stop a client and let it go on, with its logins", async () => {
    const id = await freshClient();
    const subject = await login(id);
    const disabled = await baton.run("clients", "disable", id);
    expect([disabled.code, disabled.stderr]).toEqual([0, ""]);
    expect(disabled.stdout).toContain(`Disabled the client ${id}.`);
    expect(disabled.stdout).toContain(`clients enable ${id}`);
    expect(await loginsOf(subject)).toEqual(["client_unknown"]);
    expect((await baton.run("clients", "show", id)).stdout).toMatch(
      /^disabled_at +20.*Z$/m,
    );
    const enabled = await baton.run("clients", "enable", id);
    expect(enabled.stdout).toContain(`Enabled the client ${id}.`);
    expect(await loginsOf(subject)).toEqual(["active"]);
  });
});

describe("baton clients delete", () => {
  test("without a terminal and --yes, says what would be lost, and deletes nothing", async () => {
    const id = await freshClient("--name", "Notes");
    const { code, stdout, stderr } = await baton.run("clients", "delete", id);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(
      `This deletes the client ${id} (Notes) on ${baton.server.url}.`,
    );
    expect(stderr).toMatch(/its users are logged out/);
    expect(stderr).toContain(`clients restore ${id}`);
    expect(stderr).toMatch(/--yes/);
    expect((await baton.run("clients", "show", id)).code).toBe(0);
    await baton.json("clients", "delete", id, "--yes");
    expect(await baton.run("clients", "delete", id, "--yes")).toMatchObject({
      code: 1,
      stderr: `There is no client ${id}. It was deleted. To restore it: npm run baton -- clients restore ${id}\n`,
    });
  });

  test("shows the whole id in the question, and takes the beginning of an id only there", async () => {
    const id = await freshClient();
    const beginning = id.slice(0, -6);
    const asked = await baton.run("clients", "delete", beginning);
    expect(asked.stderr).toContain(`This deletes the client ${id} on`);
    expect(await baton.run("clients", "delete", beginning, "--yes")).toEqual({
      code: 1,
      stdout: "",
      stderr: `There is no client ${beginning}. Did you mean ${id}?\n`,
    });
    expect((await baton.run("clients", "show", id)).code).toBe(0);
    await baton.json("clients", "delete", id, "--yes");
    expect(await baton.run("clients", "delete", id, "--yes")).toMatchObject({
      code: 1,
      stderr: `There is no client ${id}. It was deleted. To restore it: npm run baton -- clients restore ${id}\n`,
    });
  });

  test("can delete a client whose record the server cannot read", async () => {
    const { port, requests } = await stubServer((request, response) => {
      const isRead = request.method === "GET";
      response.writeHead(isRead ? 500 : 204, {
        "Content-Type": "application/json",
      });
      response.end(isRead ? '{"error":"server_error"}' : "");
    });
    const env = {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "any",
    };
    const asked = await run("baton", ["clients", "delete", "web"], { env });
    expect(asked.stderr).toContain("it cannot be restored");
    const args = ["clients", "delete", "web", "--yes"];
    expect(await run("baton", args, { env })).toMatchObject({ code: 0 });
    expect(requests).toEqual([
      "GET /admin/clients/web",
      "DELETE /admin/clients/web",
    ]);
  });
});

describe("baton clients restore", () => {
  test("brings a deleted client back, with its logins; the beginning of its id is enough", async () => {
    const id = await freshClient("--name", "Notes");
    const subject = await login(id);
    await baton.json("clients", "delete", id, "--yes");
    expect(await loginsOf(subject)).toEqual(["client_unknown"]);
    const list = await baton.run("clients", "list", "--deleted");
    expect(list.stdout).toMatch(
      /^CLIENT_ID +NAME +DELETED +RESTORABLE UNTIL$/m,
    );
    expect(list.stdout).toContain(id);
    const restored = await baton.run("clients", "restore", id.slice(0, -4));
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(restored.stdout).toMatch(
      new RegExp(`^Restored the client ${id}, with its secrets and logins\\.`),
    );
    expect(await loginsOf(subject)).toEqual(["active"]);
  });

  test("of a client that is not deleted is an error", async () => {
    const id = await freshClient();
    expect(await baton.run("clients", "restore", id)).toEqual({
      code: 1,
      stdout: "",
      stderr: "This client is not deleted, so it cannot be restored.\n",
    });
  });
});

describe("baton clients logout", () => {
  test("ends all logins of the client", async () => {
    const id = await freshClient();
    const subject = await login(id);
    const { code, stdout } = await baton.run("clients", "logout", id);
    expect(code).toBe(0);
    expect(stdout).toContain(`Ended all logins of the client ${id}`);
    expect(await loginsOf(subject)).toEqual([]);
  });
});

describe("the beginning of a client id", () => {
  test("is enough to show and change the only client that has it", async () => {
    const id = await freshClient();
    const beginning = id.slice(0, -6);
    expect(await baton.json("clients", "show", beginning)).toMatchObject({
      client_id: id,
    });
    expect(
      await baton.json("clients", "update", beginning, "--name", "New"),
    ).toMatchObject({ client_id: id, client_name: "New" });
  });

  test("that several have is an error with the candidates", async () => {
    const beginning = crypto.randomUUID();
    const ids = ["a", "b"].map((end) => `${beginning}-${end}`);
    for (const id of ids) await baton.json("clients", "create", "--id", id);
    const { code, stdout, stderr } = await baton.run(
      "clients",
      "show",
      beginning,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`Several client ids begin with ${beginning}`);
    for (const id of ids) expect(stderr).toContain(`\n  ${id}\n`);
    // An id that exists is never the beginning of another one.
    await baton.json("clients", "create", "--id", beginning);
    expect(await baton.json("clients", "show", beginning)).toMatchObject({
      client_id: beginning,
    });
  });

  test.each(["disable", "logout", "rotate-secret"])(
    "is not enough for %s",
    async (command) => {
      const id = await freshClient();
      const beginning = id.slice(0, -6);
      expect(await baton.run("clients", command, beginning)).toEqual({
        code: 1,
        stdout: "",
        stderr: `There is no client ${beginning}. Did you mean ${id}?\n`,
      });
    },
  );
});
