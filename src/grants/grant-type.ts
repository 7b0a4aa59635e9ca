import type { Seconds } from "../oauth/duration.ts";
import type { Client } from "../oauth/entities.ts";
import type { GrantTypeName } from "../oauth/grant-types.ts";
import type { Parameters } from "../oauth/parameters.ts";
import type { RequestLog } from "../oauth/request-log.ts";
import type { Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";
import type { TokenResponse } from "../oauth/tokens/token-response.ts";

/** A token request whose client is authenticated and may use the grant. */
export interface GrantRequest {
  client: Client;
  parameters: Parameters;
  /** The request's one look at the clock. */
  now: Seconds;
  log: RequestLog;
  /** Where the request came from: an address, or the network of one. */
  network: () => string;
}

/** A grant type: one file, and one line in the registry (`index.ts`). */
export interface GrantType<Name extends GrantTypeName = GrantTypeName> {
  /** The value of `grant_type`. */
  type: Name;
  /** Whether the configuration has turned it on; left out: it is always there. */
  isOn?: (settings: Settings) => boolean;
  /** The parameters that it reads and that must not be repeated. */
  parameters: readonly string[];
  /**
   * Tells whether the request starts a login. Its client must then be read again, because an isolate's own
   * copy may be a minute old. Left out: it never does.
   */
  needsFreshClient?: (server: Server, parameters: Parameters) => boolean;
  respond: (server: Server, request: GrantRequest) => Promise<TokenResponse>;
}
