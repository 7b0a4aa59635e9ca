import { z } from "zod";
import { flag, strings, uris } from "../tables/cells.ts";
import { badLine } from "../tables/csv-records.ts";
import { isJson, readJsonTable } from "../tables/json-file.ts";
import {
  type OldClient,
  planClient,
  type Planned,
  type PlanOptions,
} from "./client-plan.ts";
import { assertIsClientTable } from "./client-table.ts";
import { isKnown, unknownScopeProblem } from "./scopes.ts";
import { openTable, readRow, type Row } from "../tables/table-file.ts";
import { checkFile } from "../tables/text-file.ts";

/** Reads the table of the clients of league/oauth2-server or Passport. */

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
const printableAscii = z
  .string("is empty")
  .regex(
    /^[\x20-\x7e]{1,255}$/,
    "must have 1 to 255 printable ASCII characters",
  );

const row: z.ZodType<OldClient> = z.object({
  id: printableAscii.refine(
    (id) => id !== "." && id !== "..",
    "must not be . or .., because it is part of a URL path",
  ),
  secret: printableAscii.optional(),
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
 * @throws Failure that names the line and the column of the first mistake
 */
export async function readOldClients(
  path: string,
  options: PlanOptions,
): Promise<Planned[]> {
  await checkFile(path);
  const rows = await openRows(path);
  const places = new Map<string, string>();
  const plans: Planned[] = [];
  for await (const each of rows) {
    const old = readRow(path, each, row);
    const duplicate = places.get(old.id);
    if (duplicate !== undefined)
      throw rowError(path, each, "id", `the same id is at ${duplicate}`);
    places.set(old.id, each.place);
    const planned = planClient(old, options);
    const unknown = old.scope?.find((name) => !isKnown(name, options.scopes));
    if (unknown !== undefined && !("leftOut" in planned))
      throw rowError(path, each, "scope", unknownScopeProblem(unknown));
    plans.push(planned);
  }
  return plans;
}

async function openRows(path: string) {
  if (await isJson(path)) {
    const { header, rows } = await readJsonTable<Column>(path, columns);
    if (rows.length > 0) assertIsClientTable(path, header);
    return rows;
  }
  const table = await openTable<Column>(path, columns, { required: "id" });
  assertIsClientTable(path, table.header);
  return table.rows();
}

function rowError(
  path: string,
  row: Row<Column>,
  column: Column,
  problem: string,
) {
  return badLine(path, row.place, row.names[column] ?? column, problem);
}
