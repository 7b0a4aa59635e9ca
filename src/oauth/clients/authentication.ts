import {
  type AuthenticationMethod,
  certificateMethods,
} from "../authentication-methods.ts";
import type { ClientCertificate } from "./certificate.ts";
import { isClientId } from "../client-metadata.ts";
import { type Credentials, type Pair, readCredentials } from "./credentials.ts";
import { matchesSecret } from "./secret.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError, type Reason } from "../errors.ts";
import type { Guesser } from "../guess-limit.ts";
import type { Parameters } from "../parameters.ts";
import type { Server } from "../server.ts";

/** Sent only if the request tried Basic, because browsers open a dialog for it. */
const basicChallenge = {
  "WWW-Authenticate": 'Basic realm="baton", charset="UTF-8"',
};

/** The parts of a request by which its client is authenticated. */
interface AuthenticationRequest {
  /** The header Authorization. Schemes other than Basic are ignored. */
  authorization: string | undefined;
  parameters: Parameters;
  /** The client certificate. Undefined: there is none, or certificates are not read. */
  certificate?: ClientCertificate | undefined;
  /** The network that the request came from. Empty: nobody knows it. */
  network: string;
  now: Seconds;
  /** True: the client's record is at most a second old; false: at most a minute. */
  fresh?: boolean;
}

/**
 * Authenticates the client of a request (RFC 6749 section 2.3). Wrong secrets are limited per client id and
 * network, whether or not such a client exists. A request without a secret guesses nothing, so it is neither
 * counted nor limited: guesses cannot keep a public client out.
 *
 * @throws OAuthError a reason of `invalid_client`, `client_secrets_limited`, or `two_authentication_methods` or
 *   `two_client_ids` for a request that contradicts itself
 */
export async function authenticateClient(
  { clients, guesses }: Pick<Server, "clients" | "guesses">,
  {
    authorization,
    parameters,
    certificate,
    network,
    now,
    fresh = false,
  }: AuthenticationRequest,
): Promise<Client> {
  const basic = authorization?.match(/^basic(?:[ \t]+|$)(.*)$/i)?.[1];
  const refuse = (reason: Reason, client_id?: string) =>
    new OAuthError(reason, {
      ...(basic !== undefined && { headers: basicChallenge }),
      ...(client_id !== undefined && { client_id }),
    });

  const credentials = readCredentials(basic, parameters);
  if (typeof credentials === "string") throw refuse(credentials);

  const judgeBy = (how: LookUp) =>
    judgeAll((id) => clients[how](id, network), credentials, certificate, now);
  const attempt = async () => {
    const verdict = await judgeBy(fresh ? "findAgain" : "find");
    // A client or secret that was made a moment ago must work at once.
    return verdict.refused ? judgeBy("findAgain") : verdict;
  };
  const verdict =
    credentials.method === "none"
      ? await attempt()
      : await guesses.limit(
          guesserOf(credentials, network),
          attempt,
          ({ refused }) => refused !== undefined,
        );
  if (!verdict.refused) return verdict.client;
  // The log names a disabled client. To the caller it is like an unknown one.
  const disabled = credentials.pairs.find(
    ({ clientId }) =>
      verdict.refused === "client_unknown" && clients.isDisabled(clientId),
  );
  throw disabled
    ? refuse("client_disabled", disabled.clientId)
    : refuse(verdict.refused, verdict.client?.client_id);
}

/** Ids that no client can have count as one, so that an id in memory is short. */
function guesserOf({ pairs }: Credentials, network: string): Guesser {
  const client_id = pairs.map(({ clientId }) =>
    isClientId(clientId) ? clientId : "",
  );
  return { kind: "client_secret", client_id, network };
}

type LookUp = "find" | "findAgain";

type FindClient = (clientId: string) => Promise<Client | undefined>;

type Verdict =
  | { refused: Reason; client: Client | undefined }
  | { refused?: never; client: Client };

/**
 * Judges each reading of the credentials. The work is the same whichever is right, so that its time does not
 * reveal it. One refusal stands for all: that of a client that exists, if any does.
 */
async function judgeAll(
  find: FindClient,
  { method, pairs }: Credentials,
  certificate: ClientCertificate | undefined,
  now: Seconds,
): Promise<Verdict> {
  const found = await findClients(find, pairs);
  const verdicts = await Promise.all(
    pairs.map(async (pair) => {
      const client = found.get(pair.clientId);
      return method === "none" && client && isByCertificate(client)
        ? judgeByCertificate(client, certificate)
        : judge(client, pair, method, now);
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

/** Judges a request that has nothing but the id of a client whose method is a certificate (RFC 8705 section 2). */
async function judgeByCertificate(
  client: Client,
  certificate: ClientCertificate | undefined,
): Promise<Verdict> {
  const { judgeCertificate } = await import("./certificate.ts");
  const refused = await judgeCertificate(client, certificate);
  return refused ? { refused, client } : { client };
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
  { clientId, secret }: Pair,
  method: AuthenticationMethod,
  now: Seconds,
): Promise<Verdict> {
  const secretMatches = await matchesSecret(secret, client?.secrets ?? [], now);
  const refuse = (refused: Reason) => ({ refused, client });
  if (!client) {
    return refuse(
      isClientId(clientId) ? "client_unknown" : "client_id_malformed",
    );
  }
  const allowed = client.token_endpoint_auth_method;
  const methodFits =
    allowed === undefined ? method !== "none" : method === allowed;
  if (!methodFits) return refuse("client_authentication_method_wrong");
  if (method !== "none" && !secretMatches) return refuse("client_secret_wrong");
  return { client };
}
