import { z } from "zod";
import {
  type AuthenticationMethod,
  isBySecret,
} from "../../oauth/authentication-methods.ts";
import {
  client,
  clientWithSecret,
  warnings,
} from "../commands/client-schema.ts";
import type { Session } from "../commands/session.ts";
import type { DesiredClient } from "./desired.ts";
import type { Change } from "./difference.ts";
import type { ServerState } from "./server-state.ts";

/** The requests of the admin API that make a change, in earnest or as a rehearsal. */

/** What a change has left behind. */
export interface Done {
  /** The ETag of the catalogue after a change of a scope. */
  catalogueTag?: string | undefined;
  /** The ETag of the catalogue of resources after a change of a resource. */
  resourcesTag?: string | undefined;
  client_secret?: string | undefined;
  warnings: string[];
}

export interface ChangeOptions {
  state: Pick<ServerState, "catalogueTag" | "resourcesTag" | "clientTags">;
  /** The record of a client in the file. */
  desired: DesiredClient;
  /** True: a client is created without a secret. */
  noSecrets: boolean;
  /** The scopes that are made first. Undefined: the change is in earnest. */
  rehearsedScopes?: readonly string[] | undefined;
}

/** Makes one change. @throws ApiError 412 if the object was changed since it was compared */
export function makeChange(
  session: Session,
  change: Change,
  options: ChangeOptions,
): Promise<Done> {
  const make = {
    scope: changeScope,
    resource: changeResource,
    client: changeClient,
  }[change.kind];
  return make(session, change, options);
}

async function changeResource(
  session: Session,
  { action, name, fields }: Change,
  { state, rehearsedScopes }: ChangeOptions,
): Promise<Done> {
  const body = Object.fromEntries(
    fields.map(({ field, to }) => [field, to ?? null]),
  );
  const { etag } = await session.requestTagged({
    method: action === "delete" ? "DELETE" : "PUT",
    path: ["resources", name],
    ...(action !== "delete" && { body }),
    ...(rehearsedScopes && {
      query: { dry_run: "true", assume_scopes: rehearsedScopes.join(" ") },
    }),
    ifMatch: state.resourcesTag,
    schema: z.unknown(),
  });
  return { resourcesTag: etag, warnings: [] };
}

async function changeScope(
  session: Session,
  { action, name, fields }: Change,
  { state, rehearsedScopes }: ChangeOptions,
): Promise<Done> {
  const body = Object.fromEntries(fields.map(({ field, to }) => [field, to]));
  const { etag } = await session.requestTagged({
    method: action === "delete" ? "DELETE" : "PUT",
    path: ["scopes", name],
    ...(action !== "delete" && { body }),
    ...(rehearsedScopes && { query: { dry_run: "true" } }),
    ifMatch: state.catalogueTag,
    schema: z.unknown(),
  });
  return { catalogueTag: etag, warnings: [] };
}

async function changeClient(
  session: Session,
  { action, name, fields }: Change,
  { state, desired, noSecrets, rehearsedScopes }: ChangeOptions,
): Promise<Done> {
  const path = ["clients", name];
  const ifMatch = state.clientTags.get(name);
  if (action === "delete") {
    await session.request({
      method: "DELETE",
      path,
      ifMatch,
      schema: z.unknown(),
    });
    return { warnings: [] };
  }
  const rehearsal = rehearsedScopes && {
    query: { dry_run: "true", assume_scopes: rehearsedScopes.join(" ") },
  };
  if (action === "change") {
    const body = await session.request({
      method: "PATCH",
      path,
      ...rehearsal,
      ifMatch,
      body: Object.fromEntries(
        fields.map(({ field }) => [
          field,
          desired[field as keyof DesiredClient] ?? null,
        ]),
      ),
      schema: client.extend({ warnings }),
    });
    return { warnings: body.warnings ?? [] };
  }
  const hasSecret = isBySecret(
    desired.token_endpoint_auth_method as AuthenticationMethod | undefined,
  );
  const body = await session.request({
    method: "POST",
    path: ["clients"],
    ...rehearsal,
    body: {
      client_id: name,
      ...desired,
      ...(noSecrets && hasSecret && { client_secret: null }),
    },
    schema: clientWithSecret.extend({ warnings }),
  });
  return {
    warnings: body.warnings ?? [],
    client_secret: body.client_secret,
  };
}
