import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Upload } from "../../workerd.ts";
import { TIME_HEADER } from "./time-header.ts";

/**
 * The main module of a Worker whose clock is set by each request. Its Durable Objects are in the same isolate, so
 * that they have the same clock. The KV beside it is not, and keeps the real clock.
 */
const main = `
import { setClock } from "./header.js";
import worker from "./built.js";

export * from "./built.js";

export default {
  fetch(request, env, context) {
    setClock(request.headers.get("${TIME_HEADER}"));
    return worker.fetch(request, env, context);
  },
};
`;

/** Puts a clock before a Worker. The code that was built stays as it is, in a module of its own. */
export async function withClock(built: Upload): Promise<Upload> {
  const header = await readFile(join(import.meta.dirname, "header.js"), "utf8");
  return {
    ...built,
    code: main,
    modules: {
      "header.js": header,
      "built.js": built.code,
    },
  };
}
