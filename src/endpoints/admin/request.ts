import type { HonoRequest } from "hono";
import type * as v from "valibot";
import { invalidFields, OAuthError } from "../../oauth/errors.ts";
import { parse, strictObject } from "../../oauth/schema.ts";

/**
 * The schemas of a request. Those of parameters are of objects, with a field for each parameter. `query` is made with
 * `strictObject`: an operation must not be carried out if it does not know what a parameter such as `dry_run` asks for.
 */
export interface RequestSchemas {
  params?: v.GenericSchema;
  /** Left out: there are no query parameters, and any is refused. */
  query?: v.GenericSchema;
  body?: { schema: v.GenericSchema };
}

/**
 * Checks a request. Afterwards `c.req.valid` returns its parts in the form of their schemas.
 *
 * @throws OAuthError `admin_body_invalid`
 */
export async function validate(
  request: HonoRequest,
  { params, query = strictObject({}), body }: RequestSchemas,
): Promise<void> {
  request.addValidatedData("query", valid(query, queryOf(request)));
  if (params) request.addValidatedData("param", valid(params, request.param()));
  if (body)
    request.addValidatedData("json", valid(body.schema, await bodyOf(request)));
}

/** @throws OAuthError `admin_body_invalid`, which names every field that is wrong */
function valid(schema: v.GenericSchema, value: unknown): object {
  const { data, issues } = parse(schema, value);
  if (issues) throw invalidFields(issues);
  return data as object;
}

/** Returns the query parameters. The value of one that is repeated is an array. */
function queryOf(request: HonoRequest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request.queries()).map(([name, values]) => [
      name,
      values.length === 1 ? values[0] : values,
    ]),
  );
}

/** JSON, or a media type that is based on it, such as `application/merge-patch+json` (RFC 6839 section 3.1). */
const jsonType = /^application\/([a-z.-]+\+)?json(;\s*[a-z\d-]+=[^;]+)*$/i;

/** Returns the JSON body of a request. No body is the same as an object without fields. */
async function bodyOf(request: HonoRequest): Promise<unknown> {
  const type = request.header("Content-Type") ?? "";
  if (type === "" && !(await hasBody(request))) return {};
  if (!jsonType.test(type)) {
    const subject = "The Content-Type must be application/json.";
    throw new OAuthError("admin_body_invalid", { subject });
  }
  return request.json<unknown>().catch(() => {
    const subject = "The body is not JSON.";
    throw new OAuthError("admin_body_invalid", { subject });
  });
}

async function hasBody(request: HonoRequest): Promise<boolean> {
  return request.raw.body
    ? (await request.arrayBuffer()).byteLength > 0
    : false;
}
