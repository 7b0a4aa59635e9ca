import { isLoopback } from "../commands/connection.ts";
import type { Session } from "../commands/session.ts";
import { Failure } from "../failure.ts";
import { kindOf } from "../keys/key-names.ts";
import { settingsFile } from "../local/settings-file.ts";
import { devVarsPath } from "../local/wrangler.ts";
import { DevVarsSecrets } from "../secrets/dev-vars.ts";
import { WranglerSecrets } from "../secrets/wrangler.ts";
import { type CheckReport, type Finding, reportOf } from "./finding.ts";

/** The kinds of keys that a server can't work without. */
const needed = ["private", "encryption"] as const;

/** Compares the names of the secrets in their store with the keys of the server. No value is read. */
export async function checkSecrets(
  session: Session,
  url: string,
): Promise<CheckReport> {
  const store = isLoopback(new URL(url).hostname)
    ? new DevVarsSecrets(devVarsPath)
    : new WranglerSecrets({ env: await session.wranglerEnvironment() });
  const names = await store.names().catch((error: unknown) => {
    if (error instanceof Failure) return error;
    throw error;
  });
  if (names instanceof Failure)
    return reportOf("secrets", { notChecked: names.message, isGap: true });
  const { keys = [] } = await session.health();
  const finding = (
    subject: string,
    problem: string,
    why: string,
    remedy: string,
  ): Finding => ({ check: "secrets", subject, problem, why, remedy });
  const findings = [
    ...needed
      .filter((kind) => !names.some((name) => kindOf(name) === kind))
      .map((kind) =>
        finding(
          kind === "private" ? "PRIVATE_KEY" : "ENCRYPTION_KEY",
          `is not in ${store.describe()}`,
          "Every endpoint answers 500.",
          "Make one: `npm run baton -- keys generate`.",
        ),
      ),
    ...(names.includes("ADMIN_TOKEN")
      ? []
      : [
          finding(
            "ADMIN_TOKEN",
            `is not in ${store.describe()}`,
            "The admin API is off, unless Cloudflare Access is on.",
            "Set it: `npx wrangler secret put ADMIN_TOKEN`.",
          ),
        ]),
    ...keys
      .filter(({ secret }) => !names.includes(secret))
      .map(({ secret }) =>
        finding(
          secret,
          `is a key of ${url}, and is not in ${store.describe()}`,
          "They are probably not the same server, so that a rotation would change another one.",
          `Check the URL, --env, the name in ${settingsFile()} and the account of wrangler.`,
        ),
      ),
    ...names
      .filter(
        (name) =>
          kindOf(name) !== undefined &&
          keys.length > 0 &&
          !keys.some(({ secret }) => secret === name),
      )
      .map((name) =>
        finding(
          name,
          `is in ${store.describe()}, and is not a key of ${url}`,
          "It does nothing there.",
          "If it was just put, wait a minute and run this command again. Else check that wrangler and the URL mean the same server.",
        ),
      ),
  ];
  return reportOf(
    "secrets",
    findings.length > 0 ? findings : `are those of ${store.describe()}`,
  );
}
