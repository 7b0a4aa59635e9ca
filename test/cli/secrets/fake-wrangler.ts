import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { replaceFile } from "../../support/replace-file.ts";

/**
 * A wrangler for tests, started by BATON_WRANGLER. It keeps secrets in FAKE_WRANGLER_FILE, and appends the arguments of
 * each run to a file beside it. FAKE_WRANGLER_FAIL is a command (`put`, `put NAME`) and what it fails with, after a colon.
 * A put waits for as long as the file beside it that ends with `.hold` exists.
 */

const file = process.env["FAKE_WRANGLER_FILE"];
if (!file) throw new Error("FAKE_WRANGLER_FILE is not set");
const args = process.argv.slice(2);
appendFileSync(`${file}.runs`, `${args.join(" ")}\n`);

const [command, action = "", name = ""] = args;
const secrets: Record<string, string> = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : {};
const input = readFileSync(0, "utf8");
const [failing, ...message] = (process.env["FAKE_WRANGLER_FAIL"] ?? "").split(
  ":",
);

if (failing === action || failing === `${action} ${name}`) {
  process.stderr.write(`\u001b[31m✘ [ERROR]\u001b[0m ${message.join(":")}\n`);
  process.exitCode = 1;
} else if (command !== "secret") {
  process.exitCode = 1;
} else if (action === "list") {
  const list = Object.keys(secrets).map((key) => ({
    name: key,
    type: "secret_text",
  }));
  process.stdout.write(`${JSON.stringify(list, undefined, "  ")}\n`);
} else {
  if (action === "put") {
    while (existsSync(`${file}.hold`)) await setTimeout(20);
    secrets[name] = input.trimEnd();
  } else delete secrets[name];
  replaceFile(file, JSON.stringify(secrets));
  process.stdout.write(`✨ Success! ${action} ${name}\n`);
}
