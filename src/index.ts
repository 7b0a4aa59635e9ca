import { createApp } from "./app.ts";
import {
  type AuditEvent,
  consumeEvents,
  createEarlyServer,
  createServer,
  outlets,
} from "./create-server.ts";

export { LeagueLedger } from "./league/ledger.ts";
export { KvRecordWriter } from "./platform/kv-record-writer.ts";
export { SubjectIndex } from "./platform/subject-index.ts";
export { TokenFamily } from "./platform/token-family.ts";
export { Admin, Login, Tokens } from "./rpc/index.ts";

const app = createApp({ createEarlyServer, createServer, ...outlets });

export default {
  fetch: app.fetch,
  queue: (batch, env) => consumeEvents(batch, () => createEarlyServer(env)),
} satisfies ExportedHandler<Env, AuditEvent>;
