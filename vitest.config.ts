import { generateKeyPairSync, randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { testKeys } from "./test/support/keys.ts";
import { reasonsReporter } from "./test/support/reasons-reporter.ts";
import { timesReporter } from "./test/support/times-reporter.ts";
import { totalsReporter } from "./test/support/totals-reporter.ts";

/** Fresh secrets for every run, so that no test depends on a key. */
const secrets = {
  PRIVATE_KEY: JSON.stringify(
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
      format: "jwk",
    }),
  ),
  ENCRYPTION_KEY: randomBytes(32).toString("base64"),
  ADMIN_TOKEN: randomBytes(32).toString("base64url"),
};

/** Tests that need Node: the command line, the demo, the repository itself. */
const onNode = ["test/cli/**/*.test.ts", "test/**/*.node.test.ts"];
/** Tests of libraries on Node, which share one local server. */
const conformance = ["test/conformance/**/*.node.test.ts"];
/** Tests of today's Worker beside released ones, for which it is built once. */
const upgrade = ["test/upgrade/**/*.node.test.ts"];
/** Tests that put the whole machine under load, and so run after all others. */
const underLoad = ["test/crash/**/*.node.test.ts"];

export default defineConfig({
  test: {
    reporters: ["default", reasonsReporter, timesReporter, totalsReporter],
    // The server logs one line per request, which matters only if a test fails.
    silent: "passed-only",
    // One more than there are cores, because a worker waits for a third of its time: for processes that it has
    // started, and for timers.
    maxWorkers: Math.max(availableParallelism(), 2) + 1,
    globalSetup: ["test/support/compile-cache.ts"],
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                ISSUER: "https://auth.example.com",
                LOGIN_URL: "https://login.example.com/sign-in",
                ...secrets,
              },
            },
          }),
        ],
        test: {
          name: "workerd",
          setupFiles: "./test/support/keep-request-lines.ts",
          provide: { testKeys },
          // A slow test must not fail, because the machine may be busy.
          testTimeout: 120_000,
          include: ["test/**/*.test.ts"],
          exclude: [...onNode, ...underLoad],
        },
      },
      {
        test: {
          name: "node",
          include: onNode,
          exclude: [...conformance, ...upgrade, ...underLoad],
          globalSetup: [
            "test/support/bundled-baton.ts",
            "test/support/prebuilt-worker.ts",
          ],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "conformance",
          include: conformance,
          globalSetup: "test/conformance/live/setup.ts",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "upgrade",
          include: upgrade,
          globalSetup: "test/upgrade/setup.ts",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "crash",
          include: underLoad,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
