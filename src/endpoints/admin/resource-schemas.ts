import * as v from "valibot";
import {
  clientMetadata,
  resourceUri,
  scopeList,
} from "../../oauth/client-metadata.ts";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import { named } from "./api.ts";

/** The JSON of a protected resource. */

const name = v.pipe(
  v.string(),
  v.minLength(1),
  maxCharacters(255),
  v.metadata({ description: "A name for people.", example: "Notes" }),
);

const audience = v.pipe(
  v.string(),
  maxCharacters(2048),
  v.regex(
    /^[\x21-\x7e]+$/,
    "must be 1 to 2048 printable ASCII characters without spaces",
  ),
  v.metadata({
    description:
      "The audience (aud) of its access tokens. Left out: the URI. No other resource may have it.",
    example: "https://api.example.com",
  }),
);

const scope = v.pipe(
  scopeList,
  v.description(
    "The scopes that belong to the resource, with spaces between them. A token for other resources does not have them. openid, profile, email, phone, address and offline_access belong to no resource; listed here, they are open to clients that registered themselves.",
  ),
);

const format = v.pipe(
  clientMetadata.access_token_format,
  v.description(
    "The format of its access tokens. Left out: that of the client, else ACCESS_TOKEN_FORMAT. A token for resources with different formats has rfc9068.",
  ),
);

const lifetime = v.pipe(
  clientMetadata.access_token_ttl,
  v.metadata({
    description:
      "The lifetime of its access tokens. Left out: that of the client, else ACCESS_TOKEN_TTL. A token for several resources has the shortest.",
    example: "PT10M",
  }),
);

const isOpen = v.pipe(
  v.boolean(),
  v.description(
    "true: clients that registered themselves may ask for the resource and its scopes.",
  ),
);

export const resource = named(
  "Resource",
  v.object({
    resource: resourceUri,
    name: v.optional(name),
    scope,
    audience: v.optional(audience),
    access_token_format: v.optional(format),
    access_token_ttl: v.optional(lifetime),
    self_registered_clients: isOpen,
  }),
);

export const resourceChange = named(
  "ResourceChange",
  strictObject({
    name: v.optional(v.nullable(name)),
    scope: v.optional(v.nullable(scope)),
    audience: v.optional(v.nullable(audience)),
    access_token_format: v.optional(v.nullable(format)),
    access_token_ttl: v.optional(v.nullable(lifetime)),
    self_registered_clients: v.optional(isOpen),
  }),
);

export const resourceParameter = v.object({ resource: resourceUri });
