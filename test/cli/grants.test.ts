import { decodeJwt } from "jose";
import { expect, describe, test } from "vitest";
import { batonWithServer, fresh } from "./support.ts";

const baton = batonWithServer();

describe("baton grants create", () => {
  test("logs a user in and shows the first pair of tokens", async () => {
    const client = fresh("client");
    await baton.json("clients", "create", "--id", client);
    const { code, stdout, stderr } = await baton.run([
      "grants",
      "create",
      "--client",
      client,
      "--subject",
      "alice",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^token_type +Bearer$/m);
    expect(stdout).toMatch(/^expires_in +3600$/m);
    expect(stdout).toMatch(/^refresh_token +baton_rt_\S+$/m);
    expect(stdout).toMatch(/^access_token +eyJ\S+$/m);
  });

  test("hands scope and resources to the API", async () => {
    const client = fresh("client");
    const [read, write] = [fresh("scope"), fresh("scope")];
    await baton.json("scopes", "put", read, "Read");
    await baton.json("scopes", "put", write, "Write");
    await baton.json(
      ["clients", "create", "--id", client, "--scope", `${read} ${write}`],
      ["--resource", "https://a.example", "--resource", "https://b.example"],
    );
    const tokens = (await baton.json(
      ["grants", "create", "--client", client, "--subject", "alice"],
      ["--scope", read],
      ["--resource", "https://a.example", "--resource", "https://b.example"],
    )) as { access_token: string; scope: string };
    expect(tokens.scope).toBe(read);
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      sub: "alice",
      client_id: client,
      scope: read,
      aud: ["https://a.example", "https://b.example"],
    });
  });

  test("a client that is not there fails with the field named", async () => {
    expect(
      await baton.run([
        "grants",
        "create",
        "--client",
        "nobody",
        "--subject",
        "alice",
      ]),
    ).toEqual({
      code: 1,
      stdout: "",
      stderr: "client_id: there is no such client\n",
    });
  });

  test("without a subject it is a usage error", async () => {
    const { code, stdout, stderr } = await baton.run([
      "grants",
      "create",
      "--client",
      "web",
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("required option '--subject <subject>'");
  });
});
