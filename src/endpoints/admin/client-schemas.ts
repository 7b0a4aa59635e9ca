import { z } from "@hono/zod-openapi";
import {
  clientId,
  clientMetadata,
  clientSecret,
  duration,
  timestamp,
} from "../../oauth/client-metadata.ts";
import { type Client, clientRecord } from "../../oauth/entities.ts";

/** The JSON of `/admin/clients`: what comes in, and what goes out. */

const metadata = z.strictObject(clientMetadata).partial();
/** `POST /admin/clients`. */
export const newClient = metadata
  .extend({
    client_id: clientId.optional(),
    client_secret: clientSecret.nullable().optional().meta({
      description:
        "A secret that the client has already, from the server that it had before; it is not told back. null: none yet, and the client cannot authenticate until it is given one. Left out: a new one is made. Not for a public client.",
    }),
  })
  .openapi("NewClient");
/** `PATCH`: null takes a field away. */
export const clientPatch = z
  .strictObject(
    Object.fromEntries(
      Object.entries(clientMetadata).map(([name, schema]) => [
        name,
        schema.nullable(),
      ]),
    ) as {
      [Name in keyof typeof clientMetadata]: z.ZodNullable<
        (typeof clientMetadata)[Name]
      >;
    },
  )
  .partial()
  .openapi("ClientPatch");

const { secrets: _, ...publicFields } = clientRecord.shape;
export const client = z
  .object({
    ...publicFields,
    credentials: z
      .array(
        z.object({ created_at: timestamp, expires_at: timestamp.optional() }),
      )
      .meta({
        description: "When each secret in force was made, and when it ends.",
      }),
  })
  .openapi("Client");
export const clientWithSecret = client
  .extend({
    client_secret: z.string().optional().meta({
      description: "Told this one time, and only if it was made here.",
    }),
    client_secret_expires_at: z
      .literal(0)
      .optional()
      .meta({ description: "RFC 7591: 0 is never." }),
  })
  .openapi("ClientWithSecret");

/** `POST /admin/clients/{client_id}/secrets`. */
export const secretRotation = z.strictObject({
  client_secret: clientSecret.optional().meta({
    description:
      "The secret to set; it is not told back. One that is in force already goes on without an end. Left out: a new one is made.",
  }),
  old_secret_ttl: duration.optional().meta({
    description: "How long the secrets so far stay in force. Left out: PT24H.",
    example: "PT24H",
  }),
});

export const clientParameter = z.object({
  client_id: clientId,
});

/** A record as it is shown: never a secret or a hash. */
export function shown({ secrets, ...fields }: Client) {
  return {
    ...fields,
    credentials: secrets.map(({ hash: _hash, ...times }) => times),
  };
}

export function shownWithSecret({
  client,
  client_secret,
}: {
  client: Client;
  client_secret?: string;
}) {
  return {
    ...shown(client),
    ...(client_secret !== undefined && {
      client_secret,
      client_secret_expires_at: 0 as const,
    }),
  };
}
