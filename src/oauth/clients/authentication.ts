import type { AuthenticationMethod } from "../authentication-methods.ts";
import { isClientId } from "../client-metadata.ts";
import { matchesSecret } from "./secret.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError, type Reason } from "../errors.ts";
import type { Guesser } from "../guess-limit.ts";
import type { Parameters } from "../parameters.ts";
import type { ClientRepository } from "../repositories.ts";
import type { Server } from "../server.ts";

/** The parameters of client authentication (RFC 6749 section 2.3.1). */
export const authenticationParameters = ["client_id", "client_secret"] as const;

/** Sent only if the request tried Basic, because browsers open a dialog for it. */
const basicChallenge = {
  "WWW-Authenticate": 'Basic realm="baton", charset="UTF-8"',
};

interface Credentials {
  clientId: string;
  secret: string | undefined;
  method: AuthenticationMethod;
}

/** The parts of a request by which its client is authenticated. */
interface AuthenticationRequest {
  /** The header Authorization. Schemes other than Basic are ignored. */
  authorization: string | undefined;
  parameters: Parameters;
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
    network,
    now,
    fresh = false,
  }: AuthenticationRequest,
): Promise<Client> {
  const basic = authorization?.match(/^basic(?:[ \t]+(.*))?$/i);
  const refuse = (reason: Reason, client?: Client) =>
    new OAuthError(reason, {
      ...(basic && { headers: basicChallenge }),
      ...(client && { client_id: client.client_id }),
    });

  const credentials = basic
    ? readBasic(basic[1] ?? "", parameters)
    : readBody(parameters);
  if (typeof credentials === "string") throw refuse(credentials);

  const judgeBy = async (method: "find" | "findAgain") =>
    judge(await findClient(clients, method, credentials), credentials, now);
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
  if (verdict.refused) throw refuse(verdict.refused, verdict.client);
  return verdict.client;
}

/** Reads Basic credentials. Id and secret are form-encoded and joined by a colon (RFC 6749 section 2.3.1). */
function readBasic(
  encoded: string,
  parameters: Parameters,
): Credentials | Reason {
  if (parameters.optional("client_secret") !== undefined) {
    throw new OAuthError("two_authentication_methods");
  }
  const decoded = decodeBasic(encoded);
  if (!decoded) return "basic_credentials_malformed";
  const [clientId, secret] = decoded;
  const idInBody = parameters.optional("client_id");
  if (idInBody !== undefined && idInBody !== clientId)
    throw new OAuthError("two_client_ids");
  return { clientId, secret, method: "client_secret_basic" };
}

/** Decodes the id and secret of Basic. Undefined: they are malformed. */
function decodeBasic(encoded: string): [string, string] | undefined {
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) =>
      character.charCodeAt(0),
    );
    const pair = new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: true,
    }).decode(bytes);
    const colon = pair.indexOf(":");
    if (colon < 1) return undefined;
    return [
      formDecode(pair.slice(0, colon)),
      formDecode(pair.slice(colon + 1)),
    ];
  } catch {
    // Not base64, not UTF-8, or a stray percent sign.
    return undefined;
  }
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

function readBody(parameters: Parameters): Credentials | Reason {
  const clientId = parameters.optional("client_id");
  const secret = parameters.optional("client_secret");
  if (clientId === undefined) return "client_id_missing";
  return {
    clientId,
    secret,
    method: secret === undefined ? "none" : "client_secret_post",
  };
}

/** Ids that no client can have count as one, so that an id in memory is short. */
function guesserOf({ clientId }: Credentials, network: string): Guesser {
  const client_id = isClientId(clientId) ? clientId : "";
  return { kind: "client_secret", client_id, network };
}

async function findClient(
  clients: ClientRepository,
  method: "find" | "findAgain",
  { clientId }: Credentials,
): Promise<Client | undefined> {
  return isClientId(clientId) ? clients[method](clientId) : undefined;
}

type Verdict =
  | { refused: Reason; client: Client | undefined }
  | { refused?: never; client: Client };

/**
 * Judges credentials by a record. The work is the same for every reason, so that its time reveals nothing.
 */
async function judge(
  client: Client | undefined,
  { clientId, secret, method }: Credentials,
  now: Seconds,
): Promise<Verdict> {
  const secretMatches = await matchesSecret(
    secret ?? "",
    client?.secrets ?? [],
    now,
  );
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
