import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeLogins, refreshOnce } from "../load.ts";
import { figure, table } from "../markdown.ts";
import type { Scenario } from "../scenario.ts";
import { BatonServer, WrongAnswer } from "../server.ts";

/** The sizes of the objects' databases. Cloudflare charges for them in whole pages. */
export const storage: Scenario = {
  name: "storage",
  about:
    "the database size of a new and a used family, and of a subject's index",

  async run({ port, smoke }) {
    const refreshes = smoke ? 5 : 200;
    const sizes = smoke ? [1, 10] : [1, 10, 40, 100, 1_000];
    await using server = await BatonServer.start(port);
    const client = await server.makeClient();
    for (const size of sizes) {
      const logins = await makeLogins(
        server,
        size,
        [client],
        () => `of-${size}`,
      );
      if (size > 1) continue;
      for (let done = 0; done < refreshes; done++)
        await refreshOnce(server, logins[0]!);
    }
    await server.end();

    const ofFamilies = await databases(server, "TokenFamily");
    const indexes = await databases(server, "SubjectIndex");
    // The refreshed family has the larger record, because it names the request that made its newest token.
    const [newest, used] = [ofFamilies.at(0)!, ofFamilies.at(-1)!];
    if (indexes.map(({ rows }) => rows).join() !== sizes.join())
      throw new WrongAnswer("The indexes do not hold what they should");
    const row = (what: string, { bytes, content }: Stored) => [
      what,
      figure(bytes),
      figure(content),
    ];
    return table(
      ["", "bytes of the database", "of which keys and values"],
      [
        row("A family, new", newest),
        row(`A family, refreshed ${refreshes} times`, used),
        ...indexes.map((index) =>
          row(`The index of a subject with ${families(index.rows)}`, index),
        ),
      ],
    );
  },
};

function families(count: number): string {
  return count === 1 ? "1 family" : `${figure(count)} families`;
}

interface Stored {
  bytes: number;
  rows: number;
  /** Bytes. */
  content: number;
}

/** The databases of a class of objects, sorted by the size of their content. */
async function databases(
  { process }: BatonServer,
  className: string,
): Promise<Stored[]> {
  const folder = join(process.folder, `storage/worker-${className}`);
  const files = (await readdir(folder)).filter((name) =>
    /^\w{64}\.sqlite$/.test(name),
  );
  const all = files.map((name) => read(join(folder, name)));
  return all.toSorted((one, other) => one.content - other.content);
}

function read(file: string): Stored {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database
    .prepare(
      `SELECT page_count * page_size AS bytes, count(*) AS rows,
              sum(length(key) + length(value)) AS content
         FROM pragma_page_count, pragma_page_size, _cf_KV`,
    )
    .get() as unknown as Stored;
  database.close();
  return row;
}
