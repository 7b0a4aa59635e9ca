import { randomUUID } from "node:crypto";
import {
  Client,
  type DpopSession,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { visit } from "./pair.ts";

type Saved<T> = T | undefined;
type Registration = Awaited<
  ReturnType<OAuthClientProvider["clientInformation"]>
>;
type Tokens = Awaited<ReturnType<OAuthClientProvider["tokens"]>>;
type Discovery = Awaited<
  ReturnType<NonNullable<OAuthClientProvider["discoveryState"]>>
>;

export const REDIRECT_URI = "http://127.0.0.1:53682/callback";

/** An agent's store, and its browser: the provider that the library asks its users to write. */
export class AgentProvider implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT_URI;
  readonly clientMetadata = {
    client_name: "Agent",
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: "none",
  };
  /** The URL of the agent's metadata document. Left out: it has none. */
  clientMetadataUrl?: string;
  /** The agent's key. Left out: it has none, and gets bearer tokens. */
  session?: DpopSession;
  registration: Registration;
  saved: Tokens;
  /** The authorization requests, as the library wrote them. */
  readonly visited: URL[] = [];
  callback: Saved<URL>;
  #verifier = "";
  #discovery: Discovery;

  state = () => randomUUID();
  dpop = () => this.session;
  clientInformation = () => this.registration;
  saveClientInformation = (registration: NonNullable<Registration>) => {
    this.registration = registration;
  };
  tokens = () => this.saved;
  saveTokens = (tokens: NonNullable<Tokens>) => {
    this.saved = tokens;
  };
  redirectToAuthorization = async (url: URL) => {
    this.visited.push(url);
    this.callback = await visit(url, REDIRECT_URI);
  };
  saveCodeVerifier = (verifier: string) => {
    this.#verifier = verifier;
  };
  codeVerifier = () => this.#verifier;
  saveDiscoveryState = (state: NonNullable<Discovery>) => {
    this.#discovery = state;
  };
  discoveryState = () => this.#discovery;
  invalidateCredentials = (what: string) => {
    if (what === "all" || what === "tokens") this.saved = undefined;
    if (what === "all" || what === "client") this.registration = undefined;
  };
}

/** An agent with the official client, as its documentation shows it. */
export class Agent {
  readonly provider = new AgentProvider();
  readonly #server: URL;
  #client = new Client({ name: "agent", version: "1.0.0" });
  #transport;

  constructor(server: string) {
    this.#server = new URL(server);
    this.#transport = this.#newTransport();
  }

  #newTransport() {
    return new StreamableHTTPClientTransport(this.#server, {
      authProvider: this.provider,
    });
  }

  /** Connects. Signs in if the server asks for it. */
  async connect(): Promise<void> {
    try {
      await this.#client.connect(this.#transport);
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await this.#finish();
      this.#client = new Client({ name: "agent", version: "1.0.0" });
      this.#transport = this.#newTransport();
      await this.#client.connect(this.#transport);
    }
  }

  /** Calls a tool. Signs in if the server asks for it. @returns the text of its result */
  async call(
    name: string,
    args: Record<string, unknown> = {},
  ): Promise<string> {
    const call = () => this.#client.callTool({ name, arguments: args });
    const { content } = await call().catch(async (error: unknown) => {
      if (!(error instanceof UnauthorizedError)) throw error;
      await this.#finish();
      return call();
    });
    const [first] = content as { text: string }[];
    return first?.text ?? "";
  }

  async #finish(): Promise<void> {
    const { searchParams } = this.provider.callback ?? new URL("about:blank");
    await this.#transport.finishAuth(searchParams);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
