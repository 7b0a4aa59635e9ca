import { keyMethods } from "../authentication-methods.ts";
import type { ClientCertificate } from "./certificate.ts";
import { isClientId } from "../client-metadata.ts";
import type { Assertion, ReadAssertion } from "./assertion.ts";
import {
  type Credentials,
  hasAssertion,
  readAssertionCredentials,
  readCredentials,
} from "./credentials.ts";
import { matchesSecret } from "./secret.ts";
import {
  type CheckPair,
  type FindClient,
  judgeAll,
  type JudgeByCertificate,
  type RefusedVerdict,
  type Verdict,
} from "./verdict.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError, type Reason, type RefusalDetails } from "../errors.ts";
import type { Guesser } from "../guess-limit.ts";
import type { Parameters } from "../parameters.ts";
import type { ClientRepository } from "../repositories.ts";
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

/** The client of a request, and the assertion by which it has authenticated. */
export interface AuthenticatedClient {
  client: Client;
  /** Left out: it authenticates in another way. */
  assertion?: Assertion;
}

/**
 * Authenticates the client of a request (RFC 6749 section 2.3). Wrong secrets are limited per client id and
 * network, whether or not such a client exists. A request without a secret guesses nothing, so it is neither
 * counted nor limited: guesses cannot keep a public client out.
 *
 * @throws OAuthError a reason of `invalid_client`, `client_secrets_limited`, or `two_authentication_methods` or
 *   `two_client_ids` for a request that contradicts itself; `client_keys_unreachable` or
 *   `metadata_documents_limited` for a client whose keys are at a URL
 */
export async function authenticateClient(
  {
    clients,
    guesses,
    settings,
    clientKeys,
  }: Pick<Server, "clients" | "guesses" | "settings" | "clientKeys">,
  {
    authorization,
    parameters,
    certificate,
    network,
    now,
    fresh = false,
  }: AuthenticationRequest,
): Promise<AuthenticatedClient> {
  const basic = authorization?.match(/^basic(?:[ \t]+|$)(.*)$/i)?.[1];
  const refuse = (reason: Reason, details: RefusalDetails = {}) =>
    new OAuthError(reason, {
      ...(basic !== undefined && { headers: basicChallenge }),
      ...details,
    });

  const credentials = hasAssertion(parameters)
    ? await readAssertionCredentials(basic, parameters, settings.issuer, now)
    : readCredentials(basic, parameters);
  if (typeof credentials === "string") throw refuse(credentials);

  const { assertion } = credentials;
  const wrongPair: CheckPair = assertion
    ? async (client) => {
        const { assertionRefusal } = await import("./assertion-keys.ts");
        return assertionRefusal(assertion, client, clientKeys, network);
      }
    : async (client, { secret }) =>
        (await matchesSecret(secret, client?.secrets ?? [], now))
          ? undefined
          : "client_secret_wrong";
  const byCertificate: JudgeByCertificate = async (client) => {
    const { certificateRefusal } = await import("./certificate.ts");
    const found = { certificate, clientKeys, network };
    const refused = await certificateRefusal(client, found);
    return refused ? { refused, client } : { client };
  };
  const judgeBy = (find: FindClient) =>
    judgeAll(find, credentials, byCertificate, wrongPair);
  const findBy = (how: "find" | "findAgain") => (id: string) =>
    clients[how](id, network);
  const attempt = async () => {
    const verdict = await judgeBy(findBy(fresh ? "findAgain" : "find"));
    if (!verdict.refused) return verdict;
    // A client or secret that was made a moment ago must work at once.
    const again = await judgeBy(findBy("findAgain"));
    return isSigned(assertion) && hasNewerKeys(again)
      ? judgeBy(findNewerKeys(clients, network))
      : again;
  };
  const verdict =
    credentials.method === "none"
      ? await attempt()
      : await guesses.limit(
          guesserOf(credentials, network),
          attempt,
          ({ refused }) => refused !== undefined,
        );
  if (!verdict.refused) {
    const { client } = verdict;
    return isSigned(assertion) ? { client, assertion } : { client };
  }
  // The log names a disabled client. To the caller it is like an unknown one.
  const disabled = credentials.pairs.find(
    ({ clientId }) =>
      verdict.refused === "client_unknown" && clients.isDisabled(clientId),
  );
  throw disabled
    ? refuse("client_disabled", { client_id: disabled.clientId })
    : refuse(verdict.refused, detailsOf(verdict, assertion));
}

/**
 * Names the client of a refusal, and why a refresh token is an alarm then. It is not an alarm while the keys of the
 * client cannot be read, because the client itself is refused then.
 */
function detailsOf(
  { refused, client }: RefusedVerdict,
  assertion: ReadAssertion | undefined,
): RefusalDetails {
  if (!client) return {};
  const { client_id, token_endpoint_auth_method: method = "none" } = client;
  const isUnproven =
    keyMethods.includes(method) && refused !== "client_keys_invalid";
  const unproven =
    refused === assertion?.refused && assertion.has_wrong_claims
      ? "assertion_claims"
      : "client_authentication";
  return { client_id, ...(isUnproven && { unproven }) };
}

/** Tells whether a request has an assertion whose form and claims are good. */
function isSigned(
  assertion: ReadAssertion | undefined,
): assertion is Exclude<ReadAssertion, { refused: Reason }> {
  return assertion !== undefined && assertion.refused === undefined;
}

/** Tells whether the metadata document of a client that was refused may have newer keys than are known. */
function hasNewerKeys({ refused, client }: Verdict): boolean {
  return refused !== undefined && client?.registered_by === "metadata_document";
}

/** Finds clients by their metadata documents, which are read again unless that was tried a moment ago. */
function findNewerKeys(clients: ClientRepository, network: string): FindClient {
  const lookUp = { network, isWanted: () => false };
  return async (id) =>
    clients.findForSignIn(id, lookUp).catch((error: unknown) => {
      if (error instanceof OAuthError && error.status === 400) return undefined;
      throw error;
    });
}

/** Ids that no client can have count as one, so that an id in memory is short. */
function guesserOf({ pairs }: Credentials, network: string): Guesser {
  const client_id = pairs.map(({ clientId }) =>
    isClientId(clientId) ? clientId : "",
  );
  return { kind: "client_secret", client_id, network };
}
