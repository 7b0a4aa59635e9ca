import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { ProofKey } from "./dpop.ts";
import { grantOf, proving } from "./proving.ts";
import { server, type Tokens } from "./server.ts";

/** A login of a public client, which refreshes with the proofs of one key. */
export interface Chain {
  client: { client_id: string };
  subject: string;
  grant_id: string;
  /** The refresh tokens of the login in their order. The last one is the current one. */
  tokens: string[];
  /** The newest tokens, as they were answered. */
  newest: Tokens;
}

/** Starts a login of a new user, and refreshes it with a key. @param key undefined: the login is one of bearer tokens */
export async function makeChain(
  client: { client_id: string },
  key: ProofKey | undefined,
  { refreshes = 0, grant = {} } = {},
): Promise<Chain> {
  const subject = crypto.randomUUID();
  const of = key ? proving(key) : server;
  const bound = key && { dpop_jkt: key.jkt };
  let newest = await server.login(client, { subject, ...bound, ...grant });
  const { grant_id = "" } = (await grantOf(newest)) ?? {};
  const tokens = [newest.refresh_token];
  for (let done = 0; done < refreshes; done += 1) {
    newest = await of.expectRefresh(client, newest.refresh_token);
    tokens.push(newest.refresh_token);
  }
  return { client, subject, grant_id: String(grant_id), tokens, newest };
}

/** Counts the rows that the object of a login has written. */
export function rowsWritten({ grant_id }: Chain): Promise<number> {
  const id = env.TOKEN_FAMILY.idFromString(grant_id);
  const family = env.TOKEN_FAMILY.get(id);
  return runInDurableObject(family, (_, { storage }) =>
    Number(storage.sql.exec("SELECT total_changes() AS n").one()["n"]),
  );
}
