import type { Command } from "commander";
import { confidentialMethods } from "../../oauth/authentication-methods.ts";
import { grantTypeNames } from "../../oauth/grant-types.ts";
import { accessTokenFormats } from "../../oauth/settings.ts";
import { UsageError } from "../failure.ts";
import { mergePatch } from "./merge-patch.ts";
import { addKeyOptions, keyFields, type KeyOptions } from "./key-options.ts";

/** Collects the values of an option that can be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** The options that describe a client, as commander names them. */
export interface ClientOptions extends KeyOptions {
  name?: string;
  scope?: string;
  public?: true;
  authMethod?: string;
  grantType?: string[];
  redirectUri?: string[];
  postLogoutRedirectUri?: string[];
  backchannelLogoutUri?: string;
  backchannelLogoutSessionRequired?: true;
  resource?: string[];
  resourceServer?: string;
  requirePkce?: boolean;
  refreshWithoutOfflineAccess?: boolean;
  accessTokenTtl?: string;
  refreshTokenTtl?: string;
  refreshTokenMaxAge?: string;
  refreshTokenRetryWindow?: string;
  catchUp?: string;
  accessTokenFormat?: string;
}

/** Adds the options that describe a client. The server checks their values. */
export function addClientOptions(command: Command): Command {
  command
    .option("--name <name>", "name of the client, for people to read")
    .option(
      "--scope <scopes>",
      'scopes that the client may ask for, such as "read write"',
    )
    .option(
      "--public",
      "make the client public, because it cannot keep a secret: a browser or mobile app",
    )
    .addOption(
      command
        .createOption(
          "--auth-method <method>",
          `allow only this authentication method, one of ${confidentialMethods.join(", ")}`,
        )
        .conflicts("public"),
    )
    .option(
      "--grant-type <type>",
      `one of ${grantTypeNames.join(", ")}; can be repeated`,
      collect,
    )
    .option(
      "--redirect-uri <uri>",
      "URI that a sign-in may return to; can be repeated",
      collect,
    )
    .option(
      "--post-logout-redirect-uri <uri>",
      "URI that a sign-out may return to; can be repeated",
      collect,
    )
    .option(
      "--backchannel-logout-uri <uri>",
      "https URL that gets a logout token when a login ends",
    )
    .option(
      "--backchannel-logout-session-required",
      "register that the app needs sid (logout tokens always have it)",
    )
    .option(
      "--resource <uri>",
      "audience that the client may ask for, and gets anyway if it is the only one; can be repeated",
      collect,
    )
    .option(
      "--resource-server <uri>",
      "make the client the resource server with this audience",
    )
    .option("--require-pkce", "require PKCE at a sign-in; the default")
    .option(
      "--no-require-pkce",
      "accept a sign-in without PKCE, which is less safe, for a client with a secret that cannot do PKCE",
    )
    .option(
      "--refresh-without-offline-access",
      "give the client refresh tokens without the scope offline_access, where the server requires it",
    )
    .option(
      "--no-refresh-without-offline-access",
      "require that scope of the client as of the others; the default",
    )
    .option(
      "--access-token-ttl <duration>",
      "lifetime of an access token, such as PT10M",
    )
    .option(
      "--refresh-token-ttl <duration>",
      "lifetime of a refresh token, such as P14D",
    )
    .option(
      "--refresh-token-max-age <duration>",
      "longest time that refresh tokens can be renewed after a login, such as P6M",
    )
    .option(
      "--refresh-token-retry-window <duration>",
      "time in which a used refresh token can be sent again, such as PT30S",
    )
    .option(
      "--catch-up <duration>",
      "time in which a used refresh token leads its holder, who proves a key, to the current one, such as P7D; PT0S: never",
    );
  return addKeyOptions(command).option(
    "--access-token-format <format>",
    `${accessTokenFormats.join(" or ")}: league is for resource servers that expect the claims of league/oauth2-server`,
  );
}

/**
 * The fields of the admin API for the options. An option that is left out is a field that is left out.
 *
 * @throws Failure if the file of `--jwks` or the name in `--certificate-subject` cannot be used
 */
export async function clientFields(
  options: ClientOptions,
): Promise<Record<string, unknown>> {
  const all = {
    client_name: options.name,
    scope: options.scope,
    token_endpoint_auth_method: options.public ? "none" : options.authMethod,
    grant_types: options.grantType,
    redirect_uris: options.redirectUri,
    post_logout_redirect_uris: options.postLogoutRedirectUri,
    backchannel_logout_uri: options.backchannelLogoutUri,
    backchannel_logout_session_required:
      options.backchannelLogoutSessionRequired,
    resources: options.resource,
    resource_server: options.resourceServer,
    require_pkce: options.requirePkce,
    refresh_without_offline_access: options.refreshWithoutOfflineAccess,
    access_token_ttl: options.accessTokenTtl,
    refresh_token_ttl: options.refreshTokenTtl,
    refresh_token_max_age: options.refreshTokenMaxAge,
    refresh_token_retry_window: options.refreshTokenRetryWindow,
    refresh_token_catch_up: options.catchUp,
    ...(await keyFields(options)),
    access_token_format: options.accessTokenFormat,
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  );
}

/**
 * A merge patch (RFC 7396): the fields to set, and null for the fields to remove.
 *
 * @throws UsageError if a field is both set and removed, or if it is emptied instead of removed
 */
export async function clientPatch(
  options: ClientOptions,
  unset: readonly string[],
): Promise<Record<string, unknown>> {
  if (options.backchannelLogoutUri === "")
    throw new UsageError(
      "--backchannel-logout-uri is empty. To remove it: --unset backchannel_logout_uri",
    );
  return mergePatch(await clientFields(options), unset);
}
