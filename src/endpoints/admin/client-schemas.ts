import * as v from "valibot";
import {
  clientId,
  clientMetadata,
  clientSecret,
  duration,
  timestamp,
} from "../../oauth/client-metadata.ts";
import { type Client, clientRecord } from "../../oauth/entities.ts";
import { strictObject } from "../../oauth/schema.ts";
import { MIN_SECRET_LENGTH } from "../../oauth/secret-floor.ts";
import { named } from "./api.ts";

/** The JSON of `/admin/clients`: requests and responses. */

const floor = `It has at least ${MIN_SECRET_LENGTH} characters and is not one repeated character, unless allow_weak_secret is set.`;
const allowWeakSecret = v.optional(
  v.pipe(
    v.boolean(),
    v.description(
      "true: client_secret may be weaker. Replace it soon, because it can be guessed.",
    ),
  ),
);

const disabled = v.optional(
  v.pipe(
    v.boolean(),
    v.description(
      "true: every endpoint treats the client as unknown, and its logins are kept. false: it works again.",
    ),
  ),
);

/** The body of `POST /admin/clients`. */
export const newClient = named(
  "NewClient",
  strictObject({
    ...v.partial(v.object(clientMetadata)).entries,
    client_id: v.optional(clientId),
    client_secret: v.optional(
      v.pipe(
        v.nullable(clientSecret),
        v.description(
          `The secret that the client already has, from another server. ${floor} It is not in the response. null: the client has no secret, and cannot authenticate until it gets one. Left out: the server makes a secret. A client that is public or authenticates with a key must not have one.`,
        ),
      ),
    ),
    allow_weak_secret: allowWeakSecret,
    disabled,
  }),
);
/** The body of `PATCH /admin/clients/{client_id}`: null removes a field (RFC 7396). */
export const clientPatch = named(
  "ClientPatch",
  strictObject({
    ...(Object.fromEntries(
      Object.entries(clientMetadata).map(([name, schema]) => [
        name,
        v.optional(v.nullable<v.GenericSchema>(schema)),
      ]),
    ) as {
      [Name in keyof typeof clientMetadata]: v.OptionalSchema<
        v.NullableSchema<(typeof clientMetadata)[Name], undefined>,
        undefined
      >;
    }),
    tokens_not_before: v.optional(
      v.pipe(
        v.union(
          [timestamp, v.literal("now")],
          "must be whole seconds since 1970, or now",
        ),
        v.metadata({
          description:
            "Ends every login and token of the client up to this time. now: the time of the server. It cannot be removed or set back.",
          example: "now",
        }),
      ),
    ),
    disabled,
  }),
);

const {
  secrets: _secrets,
  registration_token_hash: _hash,
  ...publicFields
} = clientRecord.entries;
/** A client in a response. It never has a secret or the hash of one. */
export const client = named(
  "Client",
  v.object({
    ...publicFields,
    credentials: v.pipe(
      v.array(
        v.object({ created_at: timestamp, expires_at: v.optional(timestamp) }),
      ),
      v.description(
        "When each valid secret was made, and when it expires. In seconds since 1970; without expires_at it does not expire.",
      ),
    ),
  }),
);
/** A client in a list. */
export const listedClient = named(
  "ListedClient",
  v.intersect([
    client,
    v.object({
      deleted_at: v.optional(
        v.pipe(
          timestamp,
          v.description("When the client was deleted. Seconds since 1970."),
        ),
      ),
      restorable_until: v.optional(
        v.pipe(
          timestamp,
          v.description(
            "From this time on, the client cannot be restored. Seconds since 1970.",
          ),
        ),
      ),
    }),
  ]),
);
/** A client in the response that has its new secret. */
export const clientWithSecret = named(
  "ClientWithSecret",
  v.intersect([
    client,
    v.object({
      client_secret: v.optional(
        v.pipe(
          v.string(),
          v.description(
            "The secret, if the server has made it. No other response has it: keep it now.",
          ),
        ),
      ),
      client_secret_expires_at: v.optional(
        v.pipe(
          v.literal(0),
          v.description("0: the secret does not expire (RFC 7591)."),
        ),
      ),
    }),
  ]),
);

/** Warnings beside a client that was created or changed. No record has them. */
const warnings = v.optional(
  v.pipe(
    v.array(v.string()),
    v.description(
      "What the operator should know about the new values, for people to read. Left out: nothing. A redirect URI with an app's own scheme without a period has one, because any app on the device may register the same scheme (RFC 8252 section 8.4). A change that waives PKCE has one for each such URI of the client. A client that needs a client certificate has one while CLIENT_CERTIFICATES is not on.",
    ),
  ),
);
/** A client in the response to its creation. */
export const createdClient = named(
  "CreatedClient",
  v.intersect([clientWithSecret, v.object({ warnings })]),
);
/** A client in the response to a change. */
export const changedClient = named(
  "ChangedClient",
  v.intersect([client, v.object({ warnings })]),
);

/** The body of `POST /admin/clients/{client_id}/secrets`. */
export const secretRotation = strictObject({
  client_secret: v.optional(
    v.pipe(
      clientSecret,
      v.description(
        `The secret to set. ${floor} It is not in the response. If it is valid already, it no longer expires. Left out: the server makes a secret.`,
      ),
    ),
  ),
  allow_weak_secret: allowWeakSecret,
  old_secret_ttl: v.optional(
    v.pipe(
      duration,
      v.metadata({
        description:
          "How long the older secrets stay valid, as an ISO 8601 duration. Left out: PT24H.",
        example: "PT24H",
      }),
    ),
  ),
});

export const clientParameter = v.object({ client_id: clientId });

/** Makes the JSON of a client, without secrets and hashes. */
export function clientJson<C extends Client>({
  secrets,
  registration_token_hash: _token,
  ...fields
}: C) {
  return {
    ...fields,
    credentials: secrets.map(({ hash: _hash, id: _id, ...times }) => times),
  };
}

/** Makes what the ETag of a client is made of: everything but the hashes of secrets, for which their ids stand. */
export function clientVersion({
  secrets,
  registration_token_hash: _token,
  ...fields
}: Client): object {
  return {
    ...fields,
    secrets: secrets.map(({ hash: _hash, ...shown }) => shown),
  };
}

/** Makes the JSON of a client that has a new secret. */
export function clientWithSecretJson({
  client,
  client_secret,
}: {
  client: Client;
  client_secret?: string;
}) {
  return {
    ...clientJson(client),
    ...(client_secret !== undefined && {
      client_secret,
      client_secret_expires_at: 0 as const,
    }),
  };
}

/** Makes the member `warnings` of a response. It is left out if there are none. */
export function warningsJson(warnings: string[]) {
  return warnings.length > 0 ? { warnings } : {};
}
