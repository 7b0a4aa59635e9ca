import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { difference } from "../../../src/cli/apply/difference.ts";
import { readDesiredFile } from "../../../src/cli/apply/file.ts";
import { rehearse } from "../../../src/cli/apply/rehearse.ts";
import { readState } from "../../../src/cli/apply/server-state.ts";
import { Session } from "../../../src/cli/commands/session.ts";
import { run, stubServer, temporaryDirectory } from "../support.ts";

/** Writes a file with this number of clients. @returns its path */
function fileOf(clients: number): string {
  const path = join(temporaryDirectory(), "clients.yaml");
  const lines = Array.from({ length: clients }, (_, n) => `  client-${n}: {}`);
  writeFileSync(path, ["clients:", ...lines, ""].join("\n"));
  return path;
}

test("a file of more than 5,000 clients is refused before anything is sent", async () => {
  const path = fileOf(5001);
  const { port, requests } = await stubServer((_, response) => response.end());
  const env = {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: "any",
  };
  expect(await run("baton", ["apply", path, "--dry-run"], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: `${path} has 5,001 clients, and a file may have at most 5,000. Nothing was changed. Split it into several files, and apply one after the other.\n`,
  });
  expect(requests).toEqual([]);
});

test("a file of 5,000 clients is read", async () => {
  const { desired } = await readDesiredFile(fileOf(5000));
  expect(Object.keys(desired.clients ?? {})).toHaveLength(5000);
});

test("a long check shows its progress on standard error", async () => {
  const { port } = await stubServer(({ method, url = "" }, response) => {
    // Each answer takes long, by the clock of the command.
    vi.setSystemTime(Date.now() + 11_000);
    if (url === "/admin/scopes")
      response.setHeader("ETag", '"1"').end('{"scopes":[]}');
    else if (method === "GET")
      response.writeHead(404).end('{"error":"not_found"}');
    else response.end('{"client_id":"a","grant_types":[],"scope":""}');
  });
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  vi.stubEnv("BATON_URL", `http://localhost:${port}`);
  vi.stubEnv("BATON_ADMIN_TOKEN", "any");
  onTestFinished(() => void vi.unstubAllEnvs());
  const written: string[] = [];
  const stderr = vi
    .spyOn(process.stderr, "write")
    .mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
  onTestFinished(() => stderr.mockRestore());

  const session = new Session(() => ({}), "/nowhere");
  const file = await readDesiredFile(fileOf(8));
  const ids = Object.keys(file.desired.clients ?? {});
  const state = await readState(session, ids);
  const none = { scopes: [], clients: [] };
  const changes = difference(file.desired, state, none);
  await rehearse(session, file, changes, state);
  const progress = written.join("");
  expect(progress).toContain(" of 8 clients are compared.");
  expect(progress).toContain("7 of 8 changes are checked.");
});
