import type { NewClient, Note, Topic } from "./client-plan.ts";
import { printable, table } from "../output.ts";
import { MIN_SECRET_LENGTH } from "../../oauth/secret-floor.ts";
import { quoteArgument } from "../shell.ts";

/** The result of the import for one client. */
export type Outcome =
  "made" | "there_already" | "secret_given" | "left_out" | "refused";

/** The fields of a client that the report shows. A client that is left out has no method and no grant types. */
export interface ReportedClient extends Pick<
  NewClient,
  "client_id" | "client_name"
> {
  token_endpoint_auth_method?: string | undefined;
  grant_types?: string[];
}

export interface Imported {
  client: ReportedClient;
  outcome: Outcome;
  notes: Note[];
}

const words: Record<Outcome, { done: string; wouldBe: string }> = {
  made: { done: "made", wouldBe: "would be made" },
  there_already: { done: "there already", wouldBe: "there already" },
  secret_given: {
    done: "given its secret",
    wouldBe: "would be given its secret",
  },
  left_out: { done: "left out", wouldBe: "left out" },
  refused: { done: "refused", wouldBe: "refused" },
};

interface List {
  advice: string[];
  /** Content of each line: the id and the note, or the id as an argument of the command above. */
  each: "text" | "argument";
}

/** The lists below the table, each with what to do. */
const topics: Record<Topic, List> = {
  changed: {
    advice: ["These clients differ from the old server:"],
    each: "text",
  },
  needs_secret: {
    advice: [
      "These need a secret and cannot authenticate yet, because the table has only a hash of the secret, or none.",
      "Either replace the hash in the file by the secret that the app is configured with, and run the same",
      "command again. Or create a new secret and set it in the configuration of the app:",
      "  npm run baton -- clients rotate-secret ID",
    ],
    each: "argument",
  },
  perhaps_hash: {
    advice: [
      "The secret of these has 64 hexadecimal digits and was imported as it is. It may be a SHA-256 hash, which",
      "old versions of Passport stored. If the app is configured with another secret, create a new one:",
      "  npm run baton -- clients rotate-secret ID",
    ],
    each: "argument",
  },
  weak_left_out: {
    advice: [
      `The secret of these has fewer than ${MIN_SECRET_LENGTH} characters, or is one repeated character, so it can be guessed. It was left`,
      "out: a client that has no other secret here cannot authenticate yet. Create a new secret and set it in the",
      "configuration of the app:",
      "  npm run baton -- clients rotate-secret ID",
      "Where apps need the old secret for the day of the move, run the same command again with --allow-weak-secrets.",
    ],
    each: "argument",
  },
  weak_imported: {
    advice: [
      `The secret of these has fewer than ${MIN_SECRET_LENGTH} characters, or is one repeated character, so it can be guessed. It works,`,
      "because --allow-weak-secrets allowed it. Create a new secret within a day and set it in the configuration of",
      "the app; the old one works for another day:",
      "  npm run baton -- clients rotate-secret ID",
    ],
    each: "argument",
  },
  warned: {
    advice: ["The server warns about these, which work:"],
    each: "text",
  },
};

/** The result of an import, which may have ended early. */
export interface Report {
  /** The URL of the server. */
  server: string;
  dryRun: boolean;
  clients: Imported[];
}

/** The report as JSON, for scripts. */
export function toJsonReport({ server, dryRun, clients }: Report) {
  return {
    server,
    dry_run: dryRun,
    clients: clients.map(({ client: { client_id }, outcome, notes }) => ({
      client_id,
      outcome,
      notes: notes.map(({ text }) => text),
    })),
    counts: Object.fromEntries(
      Object.keys(words).map((outcome) => [
        outcome,
        clients.filter((each) => each.outcome === outcome).length,
      ]),
    ),
  };
}

/** The report as text, with what to do. */
export function toTextReport({ server, dryRun, clients }: Report): string {
  if (clients.length === 0) return `Server ${server}: the file has no clients.`;
  const number = `${clients.length} ${clients.length === 1 ? "client" : "clients"}`;
  const title = `Server ${server}: ${number}${dryRun ? "; this is a dry run, nothing was changed" : ""}.`;
  const lists = (Object.keys(topics) as Topic[]).map((topic) =>
    topicList(topic, clients),
  );
  const overview = table(
    ["client_id", "name", "authentication", "grant types", "outcome"],
    clients.map(({ client, outcome }) => [
      client.client_id,
      client.client_name ?? "",
      authentication(client),
      client.grant_types?.join(" ") ?? "",
      words[outcome][dryRun ? "wouldBe" : "done"],
    ]),
  );
  return [title, overview, ...lists.filter((list) => list !== "")].join("\n\n");
}

function authentication(client: ReportedClient): string {
  if (client.grant_types === undefined) return "";
  const { token_endpoint_auth_method: method = "secret" } = client;
  return method === "none" ? "public" : method;
}

function topicList(topic: Topic, clients: Imported[]): string {
  const { advice, each } = topics[topic];
  const lines = clients.flatMap(({ client: { client_id }, notes }) =>
    notes
      .filter((note) => note.topic === topic)
      .map(({ text }) => {
        if (each === "text") return printable(`${client_id}: ${text}`);
        return printable(quoteArgument(client_id));
      }),
  );
  return lines.length === 0
    ? ""
    : [...advice, ...lines.map((line) => `  ${line}`)].join("\n");
}
