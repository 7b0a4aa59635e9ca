import { z } from "zod";
import { flag, strings, uris } from "../tables/cells.ts";
import { badLine } from "../tables/csv-records.ts";
import { isJson, readJsonTable } from "../tables/json-file.ts";
import { type OldClient, plan, type Planned } from "./client-plan.ts";
import { mustBeOfClients } from "./client-table.ts";
import { isKnown, type Scopes, unknownScope } from "./scopes.ts";
import { openTable, readRow, type Row } from "../tables/table-file.ts";
import { checkFile } from "../tables/text-file.ts";

/** The table of the clients of a league/oauth2-server, or of Passport. */

const columns = {
  id: ["client_id", "identifier", "id"],
  secret: ["client_secret", "secret"],
  name: ["client_name", "name"],
  redirect_uris: ["redirect_uris", "redirect_uri", "redirect"],
  is_confidential: ["confidential", "is_confidential"],
  scope: ["scopes", "scope"],
  grant_types: ["grants", "grant_types"],
  revoked: ["revoked"],
  personal_access_client: ["personal_access_client"],
  password_client: ["password_client"],
};
type Column = keyof typeof columns;

/** RFC 6749 appendix A.1 and A.2. */
const visible = z
  .string("is empty")
  .regex(
    /^[\x20-\x7e]{1,255}$/,
    "has to be 1 to 255 printable ASCII characters",
  );

const row: z.ZodType<OldClient> = z.object({
  id: visible.refine(
    (id) => id !== "." && id !== "..",
    "can be neither . nor ..",
  ),
  secret: visible.optional(),
  name: z.string().trim().max(255, "is longer than 255 characters").optional(),
  redirect_uris: uris.optional(),
  is_confidential: flag.optional(),
  scope: strings.optional(),
  grant_types: strings.optional(),
  revoked: flag.default(false),
  personal_access_client: flag.default(false),
  password_client: flag.default(false),
});

/**
 * Reads and checks the whole file.
 *
 * @throws Failure with the line and the column of what is wrong
 */
export async function readOldClients(
  path: string,
  scopes: Scopes,
): Promise<Planned[]> {
  await checkFile(path);
  const rows = await openRows(path);
  const places = new Map<string, string>();
  const planned: Planned[] = [];
  for await (const each of rows) {
    const old = readRow(path, each, row);
    const twin = places.get(old.id);
    if (twin !== undefined)
      throw wrong(path, each, "id", `the same is at ${twin}`);
    places.set(old.id, each.place);
    const became = plan(old, scopes);
    const unknown = old.scope?.find((name) => !isKnown(name, scopes));
    if (unknown !== undefined && !("leftOut" in became))
      throw wrong(path, each, "scope", unknownScope(unknown));
    planned.push(became);
  }
  return planned;
}

async function openRows(path: string) {
  if (await isJson(path)) {
    const { header, rows } = await readJsonTable<Column>(path, columns);
    if (rows.length > 0) mustBeOfClients(path, header);
    return rows;
  }
  const table = await openTable<Column>(path, columns, { required: "id" });
  mustBeOfClients(path, table.header);
  return table.rows();
}

function wrong(path: string, row: Row<Column>, column: Column, what: string) {
  return badLine(path, row.place, row.names[column] ?? column, what);
}
