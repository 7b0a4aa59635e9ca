import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerProcess } from "./server-process.ts";

/** 128 and the number of SIGINT, as shells have it. */
const INTERRUPTED = 130;

/** A folder for servers to store in. Both are gone in the end, however that comes. */
export async function inTemporaryFolder<Result>(
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "baton-bench-")));
  const remove = () =>
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      // After the servers, which are killed at the exit too: they write there.
      process.once("exit", remove);
      process.exit(INTERRUPTED);
    });
  try {
    return await work(folder);
  } finally {
    await ServerProcess.killAll();
    remove();
  }
}
