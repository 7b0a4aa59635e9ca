import { z } from "zod";
import { ApiError } from "../failure.ts";
import { type NewClient, type Note, droppedUriNote } from "./client-plan.ts";
import type { Session } from "../commands/session.ts";

/** The requests to the admin API for a client of the old server. */

const existing = z.looseObject({
  token_endpoint_auth_method: z.string().optional(),
  grant_types: z.array(z.string()),
  redirect_uris: z.array(z.string()).default([]),
  credentials: z.array(z.unknown()),
});
const created = z.looseObject({ warnings: z.array(z.string()).default([]) });
const refusal = z.looseObject({
  error: z.string(),
  fields: z.record(z.string(), z.string()).optional(),
});

/** The fields of an existing client that the import uses. */
export type ExistingClient = z.output<typeof existing>;

/** The result of creating a client: created, its id is already taken, or refused for a reason. */
export type CreateResult =
  { notes: Note[] } | { isTaken: true } | { isTaken: false; reason: string };

/** Creates a client. Repeats the request without the redirect URIs that the server refuses. */
export async function createClient(
  session: Session,
  client: NewClient,
): Promise<CreateResult> {
  const dropped: Note[] = [];
  let body = client;
  for (;;) {
    try {
      const { warnings } = await session.request({
        method: "POST",
        path: ["clients"],
        body,
        schema: created,
      });
      const warned = warnings.map((text): Note => ({ topic: "warned", text }));
      return { notes: [...dropped, ...warned] };
    } catch (error) {
      const { data } = refusal.safeParse(
        error instanceof ApiError ? error.body : undefined,
      );
      if (data?.error === "conflict") return { isTaken: true };
      if (data?.error !== "invalid_request") throw error;
      const { fields = {} } = data;
      const problems = body.redirect_uris.map(
        (_, index) => fields[`redirect_uris.${index}`],
      );
      const redirect_uris = body.redirect_uris.filter(
        (_, index) => problems[index] === undefined,
      );
      if (redirect_uris.length === body.redirect_uris.length)
        return { isTaken: false, reason: reasonOf(error as ApiError, fields) };
      for (const [index, uri] of body.redirect_uris.entries())
        if (problems[index] !== undefined)
          dropped.push(droppedUriNote(uri, problems[index]));
      body = { ...body, redirect_uris };
    }
  }
}

/** Names what was refused by the fields of the table, and not by the options of `clients create`. */
function reasonOf(error: ApiError, fields: Record<string, string>): string {
  const problems = Object.entries(fields);
  return problems.length > 0
    ? problems.map(([field, problem]) => `${field}: ${problem}`).join("; ")
    : error.message;
}

/** Finds the client with this id. Undefined if there is none. */
export async function findClient(
  session: Session,
  clientId: string,
): Promise<ExistingClient | undefined> {
  try {
    return await session.request({
      method: "GET",
      path: ["clients", clientId],
      schema: existing,
    });
  } catch (error) {
    const { data } = refusal.safeParse(
      error instanceof ApiError ? error.body : undefined,
    );
    if (data?.error === "not_found") return undefined;
    throw error;
  }
}
