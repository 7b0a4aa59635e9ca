import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { format } from "prettier";
import { clientRecord, clientTombstone } from "../../src/oauth/entities.ts";
import { piecesOf, type Records } from "./records.ts";
import {
  buildWorker,
  currentVersion,
  fileOf,
  withoutSourceMap,
  RECORDS_FILE,
  WORKER_FILE,
} from "./releases.ts";
import { abilitiesOf, makeEveryRecord } from "./scenario.ts";
import {
  agentVariables,
  agentWebsite,
  makeAgentRecords,
} from "./scenario-agents.ts";
import { makeKeyRecords } from "./scenario-keys.ts";
import { Session } from "./session.ts";
import { TwoWorkers } from "./two-workers.ts";

/**
 * Keeps the version of package.json: its Worker, and every record that it writes, from a real run. With --worker FILE and
 * --as NAME, a Worker that was built elsewhere.
 */

const { values } = parseArgs({
  options: { worker: { type: "string" }, as: { type: "string" } },
});
const version = values.as ?? currentVersion;
const worker =
  values.worker === undefined
    ? await buildWorker()
    : withoutSourceMap(readFileSync(values.worker, "utf8"));

const server = new TwoWorkers();
try {
  const pair = { front: worker, objects: worker };
  const baton = new Session(server);
  server.internet = agentWebsite;
  await server.start({ ...pair, variables: agentVariables });
  const ofAgents = (await abilitiesOf(baton)).meetAgents
    ? await makeAgentRecords(baton)
    : {};
  await server.start(pair);
  const inFlight = {
    ...(await makeEveryRecord(baton)),
    ...((await abilitiesOf(baton)).proveKeys
      ? await makeKeyRecords(baton)
      : {}),
    ...ofAgents,
  };
  const records: Records = {
    comment:
      "Made by keep-release.ts. Test keys (test-keys.ts), test tokens: nothing here is a secret.",
    version,
    made_at: Date.now(),
    ...(await server.dump()),
    in_flight: Object.fromEntries(
      Object.entries(inFlight).map(([name, text]) => [name, piecesOf(text)]),
    ),
  };
  if (values.worker === undefined) checkFields(records.kv);
  mkdirSync(fileOf(version, ""), { recursive: true });
  writeFileSync(
    fileOf(version, RECORDS_FILE),
    await format(JSON.stringify(records), { parser: "json" }),
  );
  writeFileSync(fileOf(version, WORKER_FILE), gzipSync(worker, { level: 9 }));
  console.log(`Kept version ${version} in ${fileOf(version, "")}.`);
} finally {
  await server.stop();
}

/** @throws Error if a client's record can have a field that none of the records has */
function checkFields(kv: Records["kv"]): void {
  const clients = Object.entries(kv).filter(([key]) =>
    key.startsWith("client:"),
  );
  const made = new Set(
    clients.flatMap(([, { value }]) => Object.keys(value as object)),
  );
  const missing = [clientRecord, clientTombstone]
    .flatMap(({ entries }) => Object.keys(entries))
    .filter((field) => !made.has(field));
  if (missing.length > 0)
    throw new Error(
      `The scenario makes no client's record with ${missing.join(" and ")}. Add it to test/upgrade/scenario.ts.`,
    );
}
