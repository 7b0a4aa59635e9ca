import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { putNew } from "../../../src/cli/secrets/secret-store.ts";
import { WranglerSecrets } from "../../../src/cli/secrets/wrangler.ts";
import { temporaryDirectory } from "../support.ts";

afterEach(() => vi.unstubAllEnvs());

/** A store whose wrangler is the one of the tests. */
function fakeStore(secrets: Record<string, string> = {}, env?: string) {
  const file = join(temporaryDirectory(), "secrets.json");
  writeFileSync(file, JSON.stringify(secrets));
  vi.stubEnv("FAKE_WRANGLER_FILE", file);
  vi.stubEnv("BATON_WRANGLER", join(import.meta.dirname, "fake-wrangler.ts"));
  return {
    store: new WranglerSecrets({ env }),
    secrets: () => JSON.parse(readFileSync(file, "utf8")),
    runs: () =>
      existsSync(`${file}.runs`)
        ? readFileSync(`${file}.runs`, "utf8").trimEnd().split("\n")
        : [],
  };
}

describe("the secrets of a deployed Worker", () => {
  test("are listed, put and deleted by wrangler", async () => {
    const { store, secrets, runs } = fakeStore({ A: "1" });
    expect(await store.names()).toEqual(["A"]);
    await store.put("B", "2");
    await store.delete("A");
    expect(secrets()).toEqual({ B: "2" });
    expect(runs()).toEqual([
      "secret list --format json",
      "secret put B",
      "secret delete A",
    ]);
  });

  test("are those of the environment that is named", async () => {
    const { store, runs } = fakeStore({}, "staging");
    await putNew(store, "A", "1");
    expect(runs()).toEqual([
      "secret list --format json --env staging",
      "secret put A --env staging",
    ]);
    expect(store.putCommand("A", "openssl rand -base64 32")).toBe(
      "openssl rand -base64 32 | npx wrangler secret put A --env staging",
    );
    expect(store.deleteCommand("A")).toBe(
      "npx wrangler secret delete A --env staging",
    );
  });

  test("never go over a command line", async () => {
    const { store, secrets, runs } = fakeStore();
    await putNew(store, "A", "a-secret-value");
    expect(secrets()).toEqual({ A: "a-secret-value" });
    expect(runs().join()).not.toContain("a-secret-value");
  });

  test("are never replaced by putNew", async () => {
    const { store, secrets, runs } = fakeStore({ A: "1" });
    await expect(putNew(store, "A", "2")).rejects.toThrow(
      "A was not set, because the deployed Worker already has a secret with this name",
    );
    expect(secrets()).toEqual({ A: "1" });
    expect(runs()).toEqual(["secret list --format json"]);
  });

  test.each([
    [
      "list",
      "In a non-interactive environment, it's necessary to set a CLOUDFLARE_API_TOKEN environment variable for wrangler to work.",
      "`wrangler secret list` failed, because wrangler is not signed in to Cloudflare. Sign in with `npx wrangler login`",
    ],
    ["list", 'Worker "baton" not found.', "there is no such Worker"],
    [
      "put",
      "More than one account available but unable to select one in non-interactive mode.",
      "several Cloudflare accounts",
    ],
    ["put", "fetch failed", "Cloudflare could not be reached"],
    [
      "put",
      "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't currently deployed.",
      "the newest version of the Worker is not the one that is deployed",
    ],
    [
      "delete",
      "Something else [code: 1]",
      "`wrangler secret delete` failed. It says: Something else [code: 1]",
    ],
  ])("that wrangler can't %s: %s", async (action, said, message) => {
    const { store, secrets } = fakeStore({ A: "1" });
    vi.stubEnv("FAKE_WRANGLER_FAIL", `${action}:${said}`);
    await expect(
      putNew(store, "B", "2").then(() => store.delete("A")),
    ).rejects.toThrow(message);
    expect(secrets()).toMatchObject({ A: "1" });
  });

  test("need a sign-in: the wrangler of this project says so, and the error names what to do", async () => {
    vi.stubEnv("CLOUDFLARE_API_TOKEN", "");
    vi.stubEnv("XDG_CONFIG_HOME", temporaryDirectory());
    vi.stubEnv("HOME", temporaryDirectory());
    await expect(new WranglerSecrets().names()).rejects.toThrow(
      "`wrangler secret list` failed, because wrangler is not signed in to Cloudflare. Sign in with `npx wrangler login`, or set the environment variable CLOUDFLARE_API_TOKEN.",
    );
  });
});
