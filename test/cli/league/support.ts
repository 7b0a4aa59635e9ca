import { writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import {
  type Args,
  type Baton,
  type Outcome,
  run,
  stubServer,
  temporaryDirectory,
} from "../support.ts";

/** Files of the old server, and a stub server that records what it receives. */

/** Creates a file that is removed after the test. */
export function file(name: string, content: string | Buffer): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  return path;
}

/** A line of progress. Only a run that takes longer than 10 seconds writes any, such as on a busy machine. */
const progressLine =
  /^(?:(?:Checking|Reading) .+: [\d,]+ rows so far|(?:Sent|Checked) [\d,]+ of [\d,]+ (?:revoked )?tokens)\n/gm;

export interface RevokedBody {
  tokens: { refresh_token_id: string; expires_at?: number }[];
  refresh_token_ttl?: string;
}

interface StubResponse {
  status: number;
  body: object;
}

/** Counts tokens by their state. The stub takes the state from the start of the id. */
function countStates(ids: string[]) {
  const countOf = (state: string) =>
    ids.filter((id) => id.startsWith(state)).length;
  const known = {
    exchanged: countOf("exchanged"),
    revoked: countOf("revoked"),
  };
  return { ...known, unknown: ids.length - known.exchanged - known.revoked };
}

/** Runs `baton` against a stub that accepts every token, unless `respond` returns another response. */
export async function leagueStub(
  respond: (body: RevokedBody, nth: number) => StubResponse | undefined = () =>
    undefined,
  state: object = { accepts_tokens: true, exchanged: 0, revoked: 0 },
) {
  const bodies: RevokedBody[] = [];
  const asked: string[][] = [];
  const sizes: number[] = [];
  /** `awaited`: no response is sent before so many requests have been in flight at the same time. */
  const inFlight = { now: 0, max: 0, awaited: 1 };
  const enough = Promise.withResolvers<void>();
  const receive = async (request: IncomingMessage): Promise<StubResponse> => {
    inFlight.now += 1;
    inFlight.max = Math.max(inFlight.max, inFlight.now);
    sizes.push(Number(request.headers["content-length"]));
    const body = (await json(request)) as RevokedBody & {
      refresh_token_ids?: string[];
    };
    const ids = body.refresh_token_ids;
    if (ids) asked.push(ids);
    else bodies.push(body);
    const nth = bodies.length;
    if (inFlight.max >= inFlight.awaited) enough.resolve();
    await enough.promise;
    // Delays the response, so that a request too many would be seen.
    await setTimeout(2);
    inFlight.now -= 1;
    const counts = ids
      ? countStates(ids)
      : { in_force: body.tokens.length, expired: 0, ended: 0 };
    return respond(body, nth) ?? { status: 200, body: counts };
  };
  const { port, requests } = await stubServer((request, response) => {
    const reply = ({ status, body }: StubResponse) =>
      response
        .writeHead(status, { "Content-Type": "application/json" })
        .end(JSON.stringify(body));
    if (request.method === "GET") reply({ status: 200, body: state });
    else void receive(request).then(reply);
  });
  const env = {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: "stub",
  };
  return {
    url: env.BATON_URL,
    bodies,
    /** The ids of each `POST /admin/league/tokens`. */
    asked,
    sizes,
    requests,
    inFlight,
    /** All tokens that were sent, sorted by id. */
    get tokens() {
      return bodies
        .flatMap(({ tokens }) => tokens)
        .toSorted((one, other) =>
          one.refresh_token_id < other.refresh_token_id ? -1 : 1,
        );
    },
    run(...args: Args): Promise<Outcome> {
      return this.runIn({}, ...args);
    },
    /** Runs `baton league` with more environment variables. */
    async runIn(more: NodeJS.Dict<string>, ...args: Args): Promise<Outcome> {
      const surroundings = { env: { ...env, ...more } };
      const outcome = await run(
        "baton",
        ["league", ...args.flat()],
        surroundings,
      );
      const stderr = outcome.stderr.replaceAll(progressLine, "");
      return { ...outcome, stderr };
    },
  };
}

export const BCRYPT =
  "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
export const PLAIN = "pNBLf1YiO4tSHBmzVqBqSMmMgcVZ9mZZpQbPZWfc";

export interface Report {
  server: string;
  dry_run: boolean;
  clients: { client_id: string; outcome: string; notes: string[] }[];
  counts: Record<string, number>;
}

/** Helpers to import clients of the old server and to inspect the result. */
export function clientImport(baton: Baton) {
  function importJson(path: string, ...more: Args): Promise<Report> {
    const args = ["league", "import-clients", path];
    return baton.json(args, ...more) as Promise<Report>;
  }

  /** Imports a file with `--scope ""`, so that the server needs no scopes. */
  function importFile(path: string, ...more: Args) {
    return baton.run(
      ["league", "import-clients", path, "--scope", ""],
      ...more,
    );
  }

  function client(id: string): Promise<Record<string, unknown>> {
    return baton.json("clients", "show", id) as Promise<
      Record<string, unknown>
    >;
  }

  /** True if the client can authenticate with this secret: then status 400 is about the token only. */
  async function authenticates(id: string, secret: string): Promise<boolean> {
    const response = await fetch(`${baton.server.url}/access_token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: "none",
        client_id: id,
        client_secret: secret,
      }),
    });
    await response.body?.cancel();
    return response.status === 400;
  }
  return { importJson, importFile, client, authenticates };
}
