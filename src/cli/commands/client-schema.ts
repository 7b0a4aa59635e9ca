import { z } from "zod";

/** A client in the answers of the admin API: the fields that the command line uses. */
export const client = z.looseObject({
  client_id: z.string(),
  client_name: z.string().optional(),
  token_endpoint_auth_method: z.string().optional(),
  grant_types: z.array(z.string()),
  scope: z.string(),
  redirect_uris: z.array(z.string()).default([]),
  post_logout_redirect_uris: z.array(z.string()).optional(),
  resources: z.array(z.string()).default([]),
  credentials: z.array(z.unknown()).optional(),
  disabled_at: z.number().optional(),
  registered_by: z.string().optional(),
  registration_expires_at: z.number().optional(),
});

export type Client = z.output<typeof client>;

/** A page of the list of clients. */
export const clientPage = z.looseObject({
  clients: z.array(
    client.extend({
      deleted_at: z.number().optional(),
      restorable_until: z.number().optional(),
    }),
  ),
  malformed: z
    .array(z.object({ name: z.string(), problem: z.string() }))
    .optional(),
  cursor: z.string().optional(),
});

export type ListedClient = z.output<typeof clientPage>["clients"][number];

export const clientWithSecret = client.extend({
  client_secret: z.string().optional(),
});

/** The warnings in the answer to a client that was created or changed. */
export const warnings = z.array(z.string()).optional();
