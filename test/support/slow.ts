import { env } from "cloudflare:workers";
import { familiesWith } from "./faults.ts";

/** Storage far away: every read of KV and every exchange of a family takes some time, in milliseconds. */
export function slowBindings(kvMs: number, objectMs: number) {
  const KV = kvWith(() => scheduler.wait(kvMs));
  const TOKEN_FAMILY = familiesWith((_, real) => ({
    async exchange(...args: Parameters<ReturnType<typeof real>["exchange"]>) {
      await scheduler.wait(objectMs);
      return real().exchange(...args);
    },
  }));
  return { KV, TOKEN_FAMILY };
}

/**
 * Makes a KV that answers no read before a number of them are under way. So a request that waits for one before
 * it begins the next gets no answer.
 */
export function meetingKv(reads: number) {
  const keys: string[] = [];
  const { promise: haveMet, resolve: meet } = Promise.withResolvers<void>();
  const KV = kvWith((key) => {
    keys.push(key);
    if (keys.length === reads) meet();
    return haveMet;
  });
  return { keys, KV };
}

/**
 * Makes a KV of which a test sees each read before it is made, and may delay or fail it. The key of a read of several
 * keys is theirs, with `and` between them.
 */
export function kvWith(before: (key: string) => unknown) {
  return new Proxy(env.KV, {
    get(kv, name) {
      const method: unknown = Reflect.get(kv, name);
      if (typeof method !== "function") return method;
      if (name !== "getWithMetadata") return method.bind(kv);
      return async (...args: [key: string | string[]]) => {
        await before([args[0]].flat().join(" and "));
        return method.apply(kv, args);
      };
    },
  });
}
