import { describe, expect, test } from "vitest";
import { MIN_SECRET_LENGTH } from "../../../src/oauth/secret-floor.ts";
import { file, clientImport, PLAIN } from "./support.ts";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();
const { importJson, importFile, client, authenticates } = clientImport(baton);

/** A file with a client for each secret. */
function clientsWith(...secrets: string[]) {
  const rows = secrets.map((secret) => ({ id: fresh("client"), secret }));
  const lines = rows.map(({ id, secret }) => `${id},${secret}\n`);
  const csv = file("clients.csv", `id,secret\n${lines.join("")}`);
  return { csv, ids: rows.map(({ id }) => id) };
}

describe("a secret that can be guessed", () => {
  test.each(["hunter2", "x".repeat(40), "fifteen-letters"])(
    "is left out, and the report says what to do: %s",
    async (secret) => {
      const { csv, ids } = clientsWith(secret, PLAIN);
      const [weak, strong] = ids;
      for (const more of [["--dry-run"], []]) {
        const { code, stdout, stderr } = await importFile(csv, more);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        const list = stdout.trimEnd().split("\n\n").at(-1);
        expect(list).toContain(`fewer than ${MIN_SECRET_LENGTH} characters`);
        expect(list).toContain("npm run baton -- clients rotate-secret ID");
        expect(list).toContain("--allow-weak-secrets");
        expect(list?.split("\n").at(-1)).toBe(`  ${weak}`);
        expect(stdout).not.toContain(secret);
      }
      expect(await client(weak!)).toMatchObject({ credentials: [] });
      expect(await authenticates(weak!, secret)).toBe(false);
      expect(await authenticates(strong!, PLAIN)).toBe(true);
    },
  );

  test("is imported with --allow-weak-secrets, and the report says to replace it", async () => {
    const { csv, ids } = clientsWith("hunter2", PLAIN);
    const [weak, strong] = ids;
    const { code, stdout } = await importFile(csv, "--allow-weak-secrets");
    expect(code).toBe(0);
    const list = stdout.trimEnd().split("\n\n").at(-1);
    expect(list).toContain("within a day");
    expect(list?.split("\n").at(-1)).toBe(`  ${weak}`);
    expect(await authenticates(weak!, "hunter2")).toBe(true);
    expect(await authenticates(strong!, PLAIN)).toBe(true);
  });

  test("is added by a second import with --allow-weak-secrets", async () => {
    const { csv, ids } = clientsWith("hunter2");
    await importFile(csv);
    const { clients } = await importJson(
      csv,
      ["--scope", ""],
      "--allow-weak-secrets",
    );
    expect(clients).toEqual([
      {
        client_id: ids[0],
        outcome: "secret_given",
        notes: ["its secret is easy to guess"],
      },
    ]);
    expect(await authenticates(ids[0]!, "hunter2")).toBe(true);
  });
});
