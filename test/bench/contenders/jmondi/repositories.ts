import { timingSafeEqual } from "node:crypto";
import {
  DateInterval,
  generateRandomToken,
  type GrantIdentifier,
  type OAuthClient,
  type OAuthClientRepository,
  OAuthException,
  type OAuthScope,
  type OAuthScopeRepository,
  type OAuthToken,
  type OAuthTokenRepository,
  type OAuthUser,
} from "@jmondi/oauth2-server";
import { database, hash } from "./database.ts";

export const ACCESS_TOKEN_TTL = new DateInterval("1h");
const REFRESH_TOKEN_TTL = new DateInterval("30d");
export const SCOPES: OAuthScope[] = [{ name: "read" }, { name: "write" }];

export class ClientRepository implements OAuthClientRepository {
  readonly #find = database.prepare("SELECT * FROM oauth_clients WHERE id = ?");

  async getByIdentifier(clientId: string): Promise<OAuthClient> {
    const row = this.#find.get(clientId);
    if (!row) throw OAuthException.invalidClient();
    return {
      id: clientId,
      name: String(row.name),
      secret: row.secret === null ? null : String(row.secret),
      redirectUris: JSON.parse(String(row.redirect_uris)) as string[],
      allowedGrants: JSON.parse(
        String(row.allowed_grants),
      ) as GrantIdentifier[],
      scopes: named(row.scopes),
    };
  }

  async isClientValid(
    grantType: GrantIdentifier,
    client: OAuthClient,
    clientSecret = "",
  ): Promise<boolean> {
    if (!client.allowedGrants.includes(grantType)) return false;
    if (!client.secret) return true;
    return timingSafeEqual(
      Buffer.from(hash(clientSecret)),
      Buffer.from(client.secret),
    );
  }
}

/** Scopes are configuration here, as in the other contenders. */
export class ScopeRepository implements OAuthScopeRepository {
  async getAllByIdentifiers(names: string[]): Promise<OAuthScope[]> {
    return SCOPES.filter((scope) => names.includes(scope.name));
  }

  async finalize(scopes: OAuthScope[]): Promise<OAuthScope[]> {
    return scopes;
  }
}

/** A token as read from the store, with what `isRefreshTokenRevoked` needs. */
interface StoredToken extends OAuthToken {
  revokedAt?: number | null;
}

/**
 * The library's token repository (docs, Repository Interfaces; example/src/repositories). One refresh makes
 * three commits, because the library makes three calls: `revoke` the old token, `persist` the new one, and
 * add its refresh token to the stored one. Revoked tokens stay in the table, as in the documentation.
 */
export class TokenRepository implements OAuthTokenRepository {
  readonly #clients: OAuthClientRepository;
  readonly #insert = database.prepare(
    `INSERT INTO oauth_tokens (access_token, access_token_expires_at, client_id, user_id, scopes,
       originating_auth_code_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  readonly #addRefreshToken = database.prepare(
    "UPDATE oauth_tokens SET refresh_token = ?, refresh_token_expires_at = ? WHERE access_token = ?",
  );
  readonly #findByRefreshToken = database.prepare(
    "SELECT * FROM oauth_tokens WHERE refresh_token = ?",
  );
  readonly #revoke = database.prepare(
    "UPDATE oauth_tokens SET revoked_at = ? WHERE access_token = ?",
  );

  constructor(clients: OAuthClientRepository) {
    this.#clients = clients;
  }

  async issueToken(
    client: OAuthClient,
    scopes: OAuthScope[],
    user?: OAuthUser | null,
  ): Promise<OAuthToken> {
    return {
      accessToken: generateRandomToken(),
      accessTokenExpiresAt: ACCESS_TOKEN_TTL.getEndDate(),
      client,
      user: user ?? null,
      scopes,
    };
  }

  async persist(token: OAuthToken): Promise<void> {
    this.#insert.run(
      token.accessToken,
      token.accessTokenExpiresAt.getTime(),
      token.client.id,
      token.user?.id ?? null,
      JSON.stringify(token.scopes.map((scope) => scope.name)),
      token.originatingAuthCodeId ?? null,
      Date.now(),
    );
  }

  async issueRefreshToken(token: OAuthToken): Promise<OAuthToken> {
    const refreshToken = generateRandomToken();
    const refreshTokenExpiresAt = REFRESH_TOKEN_TTL.getEndDate();
    this.#addRefreshToken.run(
      hash(refreshToken),
      refreshTokenExpiresAt.getTime(),
      token.accessToken,
    );
    return { ...token, refreshToken, refreshTokenExpiresAt };
  }

  async getByRefreshToken(refreshToken: string): Promise<StoredToken> {
    const row = this.#findByRefreshToken.get(hash(refreshToken));
    if (!row) throw OAuthException.invalidGrant();
    return {
      accessToken: String(row.access_token),
      accessTokenExpiresAt: new Date(Number(row.access_token_expires_at)),
      refreshToken,
      refreshTokenExpiresAt: new Date(Number(row.refresh_token_expires_at)),
      client: await this.#clients.getByIdentifier(String(row.client_id)),
      user: row.user_id === null ? null : { id: String(row.user_id) },
      scopes: named(row.scopes),
      ...(row.originating_auth_code_id === null
        ? {}
        : { originatingAuthCodeId: String(row.originating_auth_code_id) }),
      revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
    };
  }

  async isRefreshTokenRevoked(token: StoredToken): Promise<boolean> {
    return (
      token.revokedAt != null ||
      Date.now() > (token.refreshTokenExpiresAt?.getTime() ?? 0)
    );
  }

  async revoke(token: OAuthToken): Promise<void> {
    this.#revoke.run(Date.now(), token.accessToken);
  }
}

function named(scopes: unknown): OAuthScope[] {
  return (JSON.parse(String(scopes)) as string[]).map((name) => ({ name }));
}
