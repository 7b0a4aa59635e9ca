import kv, { Store } from "../../kv/index.ts";

/**
 * A slow KV, because the KV on this machine answers faster than one that is far from its data. It waits
 * outside of its object, so that calls do not wait for one another.
 */

/** The time of a read that finds its key in a cache of its location. A cautious guess. */
const KV_MS = 10;

export { Store };

export default {
  async fetch(request, env) {
    await scheduler.wait(KV_MS);
    return kv.fetch(request, env);
  },
} satisfies ExportedHandler<{ STORE: DurableObjectNamespace<Store> }>;
