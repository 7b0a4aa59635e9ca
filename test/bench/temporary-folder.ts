import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerProcess } from "./server-process.ts";

/** 128 plus the number of SIGINT, as in shells. */
const INTERRUPTED = 130;

/** Makes a folder for servers to store in. At the end, the servers and the folder are removed in any case. */
export async function inTemporaryFolder<Result>(
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "baton-bench-")));
  const remove = () =>
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      // Runs after the exit handlers that kill the servers, because the servers write there.
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
