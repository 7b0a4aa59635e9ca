import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Gives all processes of a run one cache of compiled code, because the tests start the command line and
 * wrangler some hundred times. Every run begins with an empty cache.
 */
export default function shareCompileCache(): () => void {
  const directory = mkdtempSync(join(tmpdir(), "baton-compile-cache-"));
  process.env["NODE_COMPILE_CACHE"] = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}
