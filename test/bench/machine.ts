import { execFile } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { versionOf } from "./contenders/versions.ts";
import { median } from "./statistics.ts";

/** The properties of the machine on which the figures depend. */
export interface Machine {
  cpu: string;
  cores: number;
  memory_bytes: number;
  kernel: string;
  /** The file system of the folder in which the servers store. */
  filesystem: string;
  /** The time to write 4 KiB and sync them to the disk, which is the least that a commit takes. */
  fsync_ms: number;
  node: string;
  workerd: string;
}

const PAGE = Buffer.alloc(4096, "x");
const FSYNCS = 200;

export async function describeMachine(folder: string): Promise<Machine> {
  const { stdout } = await promisify(execFile)("df", [
    "--output=fstype",
    folder,
  ]);
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory_bytes: totalmem(),
    kernel: `${type()} ${release()}`,
    filesystem: stdout.trim().split("\n").at(-1) ?? "unknown",
    fsync_ms: await fsyncTime(folder),
    node: process.versions.node,
    workerd: versionOf("workerd"),
  };
}

/** The average number of processes that ran or waited for a core in the last minute. */
export function loadAverage(): number {
  return loadavg()[0] ?? Number.NaN;
}

async function fsyncTime(folder: string): Promise<number> {
  const name = join(folder, "fsync");
  const file = await open(name, "w");
  const times: number[] = [];
  while (times.length < FSYNCS) {
    const begin = performance.now();
    await file.write(PAGE, 0, PAGE.length, times.length * PAGE.length);
    await file.sync();
    times.push(performance.now() - begin);
  }
  await file.close();
  await rm(name);
  return median(times);
}
