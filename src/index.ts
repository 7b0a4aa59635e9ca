import { createApp } from "./app.ts";
import {
  type AuditEvent,
  consumeEvents,
  createEarlyServer,
  createServer,
  outlets,
} from "./create-server.ts";
import { envFor, sayHowToBegin } from "./platform/loopback-env.ts";

export { LeagueLedger } from "./league/ledger.ts";
export { KvRecordWriter } from "./platform/kv-record-writer.ts";
export { SubjectIndex } from "./platform/subject-index.ts";
export { TokenFamily } from "./platform/token-family.ts";
export { Admin, Login, Tokens } from "./rpc/index.ts";

const app = createApp({
  createEarlyServer: sayHowToBegin(createEarlyServer),
  createServer: sayHowToBegin(createServer),
  ...outlets,
});

export default {
  fetch: (request: Request, env: Env, context: ExecutionContext) =>
    app.fetch(request, envFor(request, env), context),
  queue: (batch, env) => consumeEvents(batch, () => createEarlyServer(env)),
} satisfies ExportedHandler<Env, AuditEvent>;
