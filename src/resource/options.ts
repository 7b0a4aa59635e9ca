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
  /** With true, only tokens that are bound to the key of a DPoP proof are good (RFC 9449 section 5.2). The metadata says so. */
  dpop_bound_access_tokens_required?: boolean;
  /**
   * Returns the URL of a request as its client sees it, because a DPoP proof names it. Left out: `request.url`, which is
   * another one behind a proxy that changes host or path.
   */
  url_of?: (request: Request) => string;
  /**
   * Remembers a DPoP proof (RFC 9449 section 11.1). It is called for good tokens with good proofs only. It must decide in one
   * atomic step, such as a call of a Durable Object. Left out: the same request may come again while its proof is fresh,
   * about a minute. There is no list in memory by default, because a Worker runs in many isolates, and each would have
   * its own.
   *
   * @param id the id of the proof, 43 characters of base64url
   * @param until the time from which the id may be forgotten. Seconds since 1970
   * @returns false if the id is remembered already. Then the request is refused. If it throws, the answer is 503
   */
  is_new_proof?: (id: string, until: number) => boolean | Promise<boolean>;
  /**
   * Returns the SHA-256 thumbprint of the client certificate of a request, in base64url, for tokens that are bound to one
   * (RFC 8705 section 3). It must not read a header that a client can send. On Cloudflare: `certificateOfCloudflare`. Left out:
   * such tokens are refused.
   */
  certificate_of?: (request: Request) => string | undefined;
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

/** The way in which somebody presents a token, for a token that is bound to a key or a certificate. */
export interface Presentation {
  /** The DPoP proof and its request. Left out: the token is presented as a bearer token. */
  dpop?: {
    /** The value of the header `DPoP`. Empty: there is none. */
    proof: string;
    method: string;
    /** The URL as the client sees it. */
    url: string;
  };
  /** The SHA-256 thumbprint of the client certificate, in base64url. Left out: there is none. */
  certificate?: string;
}

/** A reason why a presented token is not good. */
export interface Invalid {
  /** The reason, for the developer of the client. */
  invalid: string;
  /** The error code, if the token may be good and its DPoP proof is not. Left out: `invalid_token`. */
  error?: "invalid_dpop_proof";
}

/** The result of a check: the token, why it is not good, or that nobody can tell at the moment. */
export type Checked =
  { verified: VerifiedToken } | Invalid | { unavailable: string };

/** Checks a token that somebody presents, without the keys that it is bound to. */
export type CheckToken = (token: string) => Promise<Checked>;
