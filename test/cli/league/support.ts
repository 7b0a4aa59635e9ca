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

/** Files of the old server, and a server that only writes down what it is sent. */

/** A file that is gone after the test. */
export function file(name: string, content: string | Buffer): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  return path;
}

export interface RevokedBody {
  tokens: { refresh_token_id: string; expires_at?: number }[];
  refresh_token_ttl?: string;
}

interface Answer {
  status: number;
  body: object;
}

/** The server's answer on tokens whose ids begin with what became of them. */
function becameOf(ids: string[]) {
  const number = (begin: string) =>
    ids.filter((id) => id.startsWith(begin)).length;
  const known = { exchanged: number("exchanged"), revoked: number("revoked") };
  return { ...known, unknown: ids.length - known.exchanged - known.revoked };
}

/** `baton` against a server that takes every token, unless `answer` has another answer. */
export async function leagueStub(
  answer: (body: RevokedBody, nth: number) => Answer | undefined = () =>
    undefined,
  state: object = { accepts_tokens: true, exchanged: 0, revoked: 0 },
) {
  const bodies: RevokedBody[] = [];
  const asked: string[][] = [];
  const sizes: number[] = [];
  const underWay = { now: 0, most: 0 };
  const take = async (request: IncomingMessage): Promise<Answer> => {
    underWay.now += 1;
    underWay.most = Math.max(underWay.most, underWay.now);
    sizes.push(Number(request.headers["content-length"]));
    const body = (await json(request)) as RevokedBody & {
      refresh_token_ids?: string[];
    };
    const ids = body.refresh_token_ids;
    if (ids) asked.push(ids);
    else bodies.push(body);
    const nth = bodies.length;
    // So that requests can be under way together.
    await setTimeout(2);
    underWay.now -= 1;
    const counts = ids
      ? becameOf(ids)
      : { in_force: body.tokens.length, expired: 0, ended: 0 };
    return answer(body, nth) ?? { status: 200, body: counts };
  };
  const { port, requests } = await stubServer((request, response) => {
    const reply = ({ status, body }: Answer) =>
      response
        .writeHead(status, { "Content-Type": "application/json" })
        .end(JSON.stringify(body));
    if (request.method === "GET") reply({ status: 200, body: state });
    else void take(request).then(reply);
  });
  const env = {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: "stub",
  };
  return {
    url: env.BATON_URL,
    bodies,
    /** The ids of `POST /admin/league/tokens`. */
    asked,
    sizes,
    requests,
    underWay,
    /** All tokens that were sent, by their ids. */
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
    /** Runs it with these variables of the environment. */
    runIn(more: NodeJS.Dict<string>, ...args: Args): Promise<Outcome> {
      const surroundings = { env: { ...env, ...more } };
      return run("baton", ["league", ...args.flat()], surroundings);
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

/** What is done with the clients of the old server. */
export function importing(baton: Baton) {
  function importJson(path: string, ...more: Args): Promise<Report> {
    const args = ["league", "import-clients", path];
    return baton.json(args, ...more) as Promise<Report>;
  }

  /** Imports a file whose clients all have no scopes of their own. */
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

  /** The status of a client's request with this secret: 400 is about the token alone. */
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
