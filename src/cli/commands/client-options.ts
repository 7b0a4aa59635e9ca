import type { Command } from "commander";
import { UsageError } from "../failure.ts";

/** An option that may be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** The options that describe a client, as commander hands them over. */
export interface ClientOptions {
  name?: string;
  scope?: string;
  public?: true;
  authMethod?: string;
  grantType?: string[];
  redirectUri?: string[];
  resource?: string[];
  resourceServer?: string;
  accessTokenTtl?: string;
  refreshTokenTtl?: string;
  refreshTokenMaxAge?: string;
  refreshTokenRetryWindow?: string;
  accessTokenFormat?: string;
}

/** Adds the options that describe a client; what they may hold is for the server to say. */
export function describeClient(command: Command): Command {
  return command
    .option("--name <name>", "a name for people to read")
    .option("--scope <scopes>", 'what it may ask for, such as "read write"')
    .option("--public", "it can keep no secret: a browser or mobile app")
    .addOption(
      command
        .createOption(
          "--auth-method <method>",
          "how it authenticates: client_secret_basic or client_secret_post, and only so",
        )
        .conflicts("public"),
    )
    .option(
      "--grant-type <type>",
      "authorization_code, refresh_token or client_credentials; may be repeated",
      collect,
    )
    .option(
      "--redirect-uri <uri>",
      "where a sign-in may return to; may be repeated",
      collect,
    )
    .option(
      "--resource <uri>",
      "an audience that it may ask for; may be repeated",
      collect,
    )
    .option(
      "--resource-server <uri>",
      "makes it the resource server with this audience",
    )
    .option("--access-token-ttl <duration>", "such as PT10M")
    .option("--refresh-token-ttl <duration>", "such as P14D")
    .option("--refresh-token-max-age <duration>", "such as P6M")
    .option("--refresh-token-retry-window <duration>", "such as PT30S")
    .option(
      "--access-token-format <format>",
      "rfc9068, or league for resource servers that read its claims",
    );
}

/** The fields of the API that the options stand for; an option left out is a field left out. */
export function clientFields(options: ClientOptions): Record<string, unknown> {
  const named = {
    client_name: options.name,
    scope: options.scope,
    token_endpoint_auth_method: options.public ? "none" : options.authMethod,
    grant_types: options.grantType,
    redirect_uris: options.redirectUri,
    resources: options.resource,
    resource_server: options.resourceServer,
    access_token_ttl: options.accessTokenTtl,
    refresh_token_ttl: options.refreshTokenTtl,
    refresh_token_max_age: options.refreshTokenMaxAge,
    refresh_token_retry_window: options.refreshTokenRetryWindow,
    access_token_format: options.accessTokenFormat,
  };
  return Object.fromEntries(
    Object.entries(named).filter(([, value]) => value !== undefined),
  );
}

/**
 * A merge patch (RFC 7396): the fields to set, and null for those to take away.
 *
 * @throws UsageError if it says nothing, or two things about a field
 */
export function clientPatch(
  options: ClientOptions,
  unset: string[],
): Record<string, unknown> {
  const set = clientFields(options);
  const both = unset.find((field) => Object.hasOwn(set, field));
  if (both !== undefined)
    throw new UsageError(`${both} can't be both set and taken away.`);
  const patch = {
    ...set,
    ...Object.fromEntries(unset.map((field) => [field, null])),
  };
  if (Object.keys(patch).length === 0) {
    throw new UsageError(
      "There is nothing to change: name an option, or --unset and a field. Add --help for help.",
    );
  }
  return patch;
}
