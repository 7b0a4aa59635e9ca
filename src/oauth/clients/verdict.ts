import {
  type AuthenticationMethod,
  certificateMethods,
  isBySecret,
} from "../authentication-methods.ts";
import { isClientId } from "../client-metadata.ts";
import type { Client } from "../entities.ts";
import type { Reason } from "../errors.ts";
import type { Credentials, Pair } from "./credentials.ts";

/** Judges the readings of a request's credentials by the records of the clients that they name. */

export type FindClient = (clientId: string) => Promise<Client | undefined>;

/** Returns what is wrong with one reading. Undefined: it is that of the client. */
export type CheckPair = (
  client: Client | undefined,
  pair: Pair,
) => Promise<Reason | undefined>;

/** Judges a request that has nothing but the id of a client whose method is a certificate (RFC 8705 section 2). */
export type JudgeByCertificate = (client: Client) => Promise<Verdict>;

export type RefusedVerdict = { refused: Reason; client: Client | undefined };

export type Verdict = RefusedVerdict | { refused?: never; client: Client };

/**
 * Judges each reading of the credentials. The work is the same whichever is right, so that its time does not
 * reveal it. One refusal stands for all: that of a client that exists, if any does.
 */
export async function judgeAll(
  find: FindClient,
  { method, pairs }: Credentials,
  byCertificate: JudgeByCertificate,
  wrongPair: CheckPair,
): Promise<Verdict> {
  const found = await findClients(find, pairs);
  const verdicts = await Promise.all(
    pairs.map(async (pair) => {
      const client = found.get(pair.clientId);
      return method === "none" && client && isByCertificate(client)
        ? byCertificate(client)
        : judge(client, pair, method, wrongPair);
    }),
  );
  const rank = ({ refused, client }: Verdict) =>
    refused === undefined ? 2 : client ? 1 : 0;
  return verdicts.reduce((best, verdict) =>
    rank(verdict) > rank(best) ? verdict : best,
  );
}

function isByCertificate({ token_endpoint_auth_method: method }: Client) {
  return method !== undefined && certificateMethods.includes(method);
}

/** Finds the clients of all readings at once, by their ids: one look-up for each id. */
async function findClients(
  find: FindClient,
  pairs: readonly Pair[],
): Promise<Map<string, Client | undefined>> {
  const ids = new Set(pairs.map(({ clientId }) => clientId));
  return new Map(
    await Promise.all(
      [...ids].map(
        async (id) =>
          [id, isClientId(id) ? await find(id) : undefined] as const,
      ),
    ),
  );
}

/**
 * Judges one reading by a record. The work is the same for every reason, so that its time reveals nothing.
 */
async function judge(
  client: Client | undefined,
  pair: Pair,
  method: AuthenticationMethod,
  wrongPair: CheckPair,
): Promise<Verdict> {
  const wrong = await wrongPair(client, pair);
  const refuse = (refused: Reason) => ({ refused, client });
  if (!client) {
    return refuse(
      isClientId(pair.clientId) ? "client_unknown" : "client_id_malformed",
    );
  }
  const allowed = client.token_endpoint_auth_method;
  const methodFits =
    allowed === undefined ? isBySecret(method) : method === allowed;
  if (!methodFits) return refuse("client_authentication_method_wrong");
  if (method !== "none" && wrong !== undefined) return refuse(wrong);
  return { client };
}
