/** The settings of a protected resource. Names that stand on the wire are spelled as there. */
export interface ResourceOptions {
  /**
   * The URI of the API, as its clients name it in `resource` (RFC 8707): `https://api.example.com/notes`. The metadata
   * document (RFC 9728) is at the path that follows from it.
   */
  resource: string;
  /** The URL of Baton, without a slash at its end. */
  issuer: string;
  /** The scopes that every request needs, with spaces between them. Left out: any good token is enough. */
  scope?: string;
  /**
   * The scopes in the metadata of the API. Left out: those of `scope`. An MCP client asks for all of them at its first
   * sign-in, and for further ones when a request needs them, so an MCP server lists only what every user needs.
   */
  scopes_supported?: readonly string[];
  /** The name of the API, for people. */
  resource_name?: string;
  /** Further members of the metadata document, such as `resource_documentation`. */
  metadata?: Readonly<Record<string, unknown>>;
  /** The audience of the API's tokens. Left out: `resource`. Baton's catalogue of resources may have another one. */
  audience?: string;
  /**
   * With true, tokens of a client itself (client credentials) are good as well. Their `sub` is the client's id, and a
   * user may have the same name, so the API must look at `claims.sub_type` then.
   */
  allow_clients?: boolean;
  /**
   * Baton's entrypoint `Tokens`, by a service binding. With it every token is asked about, so that one whose login has
   * ended is refused at once. Left out: the API verifies the signature by itself.
   */
  tokens?: TokensBinding;
  /** The URL of the public keys. Left out: as Baton's metadata says. */
  jwks_uri?: string;
  /** The algorithms with which tokens may be signed. Left out: those that Baton can sign with. */
  algorithms?: readonly string[];
  /**
   * Fetches metadata and keys. It must obey `init.signal`. Left out: `fetch`. A Worker cannot fetch another Worker of its own zone by its host name, so
   * there it is the `fetch` of a service binding.
   */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /**
   * Keeps the Worker running for work behind an answer: `waitUntil` of `cloudflare:workers`, or that of the runtime. With it no
   * request waits for newer keys while the known ones are good, also if one was withdrawn meanwhile. Left out: after five
   * minutes one request waits for them, at most half a second.
   */
  wait_until?: (work: Promise<unknown>) => void;
  /** With true, the method `protect` answers pages of any origin (CORS), without credentials. With Hono, use its `cors()`. */
  cors?: boolean;
}

/** The part of Baton's entrypoint `Tokens` that is called. */
export interface TokensBinding {
  /** Answers as RFC 7662 section 2.2 says. */
  introspect(token: string): Promise<object>;
}

/** A good access token. */
export interface VerifiedToken {
  /** The token itself. */
  token: string;
  /** The user; for a token of a client itself, the client. */
  sub: string;
  client_id: string;
  scopes: readonly string[];
  /** The expiry of the token. Seconds since 1970. */
  exp: number;
  /** All claims of the token. If Baton was asked, the claims of the login are as they are now. */
  claims: Readonly<Record<string, unknown>>;
}

/** The result of a check: the token, why it is not good, or that nobody can tell at the moment. */
export type Checked =
  { verified: VerifiedToken } | { invalid: string } | { unavailable: string };

/** Checks a token that somebody presents. */
export type CheckToken = (token: string) => Promise<Checked>;
