import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../../support/replace-file.ts";

/**
 * A wrangler for tests of setup, started by BATON_WRANGLER. Its Cloudflare is a file: accounts, and Workers with their
 * secrets and what was deployed. FAKE_FAULT is the beginning of a command line and what happens to it: `refuse` (it
 * fails), `kill` (setup is killed when the command has done its work).
 */

export interface FakeWorker {
  /** The values by name. */
  secrets: Record<string, string>;
  /** Undefined: an empty Worker, which `secret put` has made. */
  deployed?: FakeSettings;
}

export interface FakeSettings {
  name: string;
  account_id?: string;
  vars: Record<string, string>;
  routes?: { pattern: string; custom_domain: boolean }[];
  workers_dev?: boolean;
  kv_namespaces: { binding: string; id?: string }[];
  ratelimits: { namespace_id: string }[];
  durable_objects: { bindings: { name: string }[] };
  exports: object;
  dev?: { host?: string };
  build: { command: string };
  env?: Record<string, FakeSettings>;
}

export interface FakeState {
  loggedIn: boolean;
  accounts: { id: string; name: string }[];
  workers: Record<string, FakeWorker>;
  /** The subdomain at workers.dev. */
  subdomain: string;
}

const file = process.env["FAKE_CLOUDFLARE"];
if (!file) throw new Error("FAKE_CLOUDFLARE is not set");
const args = process.argv.slice(2);
appendFileSync(`${file}.runs`, `${args.join(" ")}\n`);
const state = JSON.parse(readFileSync(file, "utf8")) as FakeState;

function option(name: string): string | undefined {
  const index = args.indexOf(name);
  return index === -1 ? undefined : args[index + 1];
}

function fail(message: string): never {
  process.stderr.write(`\u001b[31m✘ [ERROR]\u001b[0m ${message}\n`);
  killIfAsked();
  process.exit(1);
}

/** The settings of the environment, from the file that wrangler finds. */
function settings(): FakeSettings {
  const path = join(process.cwd(), "wrangler.json");
  const top = JSON.parse(readFileSync(path, "utf8")) as FakeSettings;
  const env = option("--env");
  if (env === undefined) return top;
  return top.env?.[env] ?? fail(`No environment found with the name "${env}".`);
}

function killIfAsked(): void {
  if (isFault && kind === "kill") process.kill(process.ppid, "SIGKILL");
}

const [fault = "", kind] = (process.env["FAKE_FAULT"] ?? "").split("=");
const isFault = fault !== "" && args.join(" ").startsWith(fault);
if (isFault && kind === "refuse") fail("Something is wrong [code: 10013]");

const [command = "", action = "", name = ""] = args;
if (command === "login") {
  state.loggedIn = true;
} else if (!state.loggedIn) {
  process.stdout.write('{"loggedIn":false}\n');
  process.exit(1);
}
if (command === "whoami") {
  const { loggedIn, accounts } = state;
  process.stdout.write(JSON.stringify({ loggedIn, accounts }));
} else if (command === "secret") {
  const chosen = option("--name") ?? settings().name;
  const worker = state.workers[chosen];
  if (action === "list") {
    if (!worker) fail(`Worker "${chosen}" not found.`);
    const list = Object.keys(worker.secrets).map((key) => ({ name: key }));
    process.stdout.write(JSON.stringify(list));
  } else if (action === "put") {
    const value = readFileSync(0, "utf8").trimEnd();
    const { secrets } = (state.workers[chosen] ??= { secrets: {} });
    if (name in secrets) fail(`the secret ${name} would be overwritten`);
    secrets[name] = value;
  } else fail(`secret ${action}`);
} else if (command === "deploy") {
  const deployed = settings();
  (state.workers[deployed.name] ??= { secrets: {} }).deployed = deployed;
  const address = deployed.workers_dev
    ? `https://${deployed.name}.${state.subdomain}.workers.dev`
    : `${deployed.routes?.[0]?.pattern} (custom domain)`;
  process.stdout.write(`Deployed ${address}\n`);
  const output = process.env["WRANGLER_OUTPUT_FILE_PATH"];
  if (output)
    appendFileSync(
      output,
      `${JSON.stringify({ type: "wrangler-session", version: 1 })}\n${JSON.stringify({ type: "deploy", version: 2, targets: [address] })}\n`,
    );
} else if (command !== "login") fail(`unknown command ${command}`);

// Setup asks the server while a question to wrangler runs, and the server reads this file.
replaceFile(file, JSON.stringify(state));
killIfAsked();
