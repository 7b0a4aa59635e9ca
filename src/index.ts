import { createApp } from "./app.ts";
import {
  type AuditEvent,
  consumeEvents,
  createEarlyServer,
  createServer,
  outlets,
  tellClient,
} from "./create-server.ts";
import { envFor, sayHowToBegin } from "./platform/loopback-env.ts";
import {
  TokenFamily as LoneTokenFamily,
  type TellClient,
} from "./platform/token-family.ts";

export { LeagueLedger } from "./league/ledger.ts";
export { AssertionLedger } from "./platform/assertion-ledger.ts";
export { KvRecordWriter } from "./platform/kv-record-writer.ts";
export { RegistrationCounter } from "./platform/registration-counter.ts";
export { SubjectIndex } from "./platform/subject-index.ts";
export { Admin, Login, Tokens } from "./rpc/index.ts";

/** The Durable Object of a family, which can tell a client that its login has ended. */
export class TokenFamily extends LoneTokenFamily {
  static override tellClient: TellClient = tellClient;
}

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
