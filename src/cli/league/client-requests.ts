import { z } from "zod";
import { ApiError } from "../failure.ts";
import { type NewClient, type Note, withoutUri } from "./client-plan.ts";
import type { Session } from "../commands/session.ts";

/** What is asked of the server for a client of the old one. */

const existing = z.looseObject({
  token_endpoint_auth_method: z.string().optional(),
  grant_types: z.array(z.string()),
  redirect_uris: z.array(z.string()).default([]),
  credentials: z.array(z.unknown()),
});
const refusal = z.looseObject({
  error: z.string(),
  fields: z.record(z.string(), z.string()).optional(),
});

/** What matters of a client that is there already. */
export type Existing = z.output<typeof existing>;

/** What the server said to a new client. */
export type Made =
  { dropped: Note[] } | { isTaken: true } | { isTaken: false; reason: string };

/** Makes a client, without the redirect URIs that the server does not take. */
export async function make(session: Session, client: NewClient): Promise<Made> {
  const dropped: Note[] = [];
  let body = client;
  for (;;) {
    try {
      await session.ask({
        method: "POST",
        path: ["clients"],
        body,
        answer: z.unknown(),
      });
      return { dropped };
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
        return { isTaken: false, reason: (error as ApiError).message };
      for (const [index, uri] of body.redirect_uris.entries())
        if (problems[index] !== undefined)
          dropped.push(withoutUri(uri, problems[index]));
      body = { ...body, redirect_uris };
    }
  }
}

/** The client, if there is one of this id. */
export async function find(
  session: Session,
  clientId: string,
): Promise<Existing | undefined> {
  try {
    return await session.ask({
      method: "GET",
      path: ["clients", clientId],
      answer: existing,
    });
  } catch (error) {
    const { data } = refusal.safeParse(
      error instanceof ApiError ? error.body : undefined,
    );
    if (data?.error === "not_found") return undefined;
    throw error;
  }
}
