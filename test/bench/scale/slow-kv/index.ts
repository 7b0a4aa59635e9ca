import kv, { Store } from "../../kv/index.ts";

/**
 * KV that takes its time: the one on this machine answers sooner than any that is far from its data. It
 * waits outside of its object, so that calls do not wait for one another.
 */

/** Of a read that finds its key in a cache of its location, a cautious guess. */
const KV_MS = 10;

export { Store };

export default {
  async fetch(request, env) {
    await scheduler.wait(KV_MS);
    return kv.fetch(request, env);
  },
} satisfies ExportedHandler<{ STORE: DurableObjectNamespace<Store> }>;
