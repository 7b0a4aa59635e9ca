import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Time } from "./support/times-reporter.ts";

/**
 * `npm run check`: types, lint and format at the same time, because none of them keeps all cores busy,
 * and then the tests. The output of a step is printed when the step has ended.
 */

const steps = ["types", "lint", "format"];

interface Result {
  time: Time;
  passed: boolean;
}

async function check(step: string): Promise<Result> {
  const start = performance.now();
  // Through a shell, because npm is a script with another name on Windows.
  const child = spawn(`npm run check:${step} 2>&1`, {
    shell: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const output = await text(child.stdout);
  const [code] = await closed;
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(output);
  return { time: [step, seconds], passed: code === 0 };
}

const results = await Promise.all(steps.map(check));
if (results.every(({ passed }) => passed)) {
  const CHECK_STEPS = JSON.stringify(results.map(({ time }) => time));
  const { status } = spawnSync("npm test", {
    shell: true,
    stdio: "inherit",
    env: { ...process.env, CHECK_STEPS },
  });
  process.exitCode = status ?? 1;
} else {
  const failed = results.filter(({ passed }) => !passed);
  const names = failed.map(({ time: [step] }) => `check:${step}`);
  process.stderr.write(`\nFailed: ${names.join(", ")}\n`);
  process.exitCode = 1;
}
