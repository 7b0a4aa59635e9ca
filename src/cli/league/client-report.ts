import type { NewClient, Note, Topic } from "./client-plan.ts";
import { printable, table } from "../output.ts";
import { argument } from "../shell.ts";

/** What became of a client of the old server. */
export type Outcome =
  "made" | "there_already" | "secret_given" | "left_out" | "refused";

/** What is shown of a client; one that is left out has neither method nor grant types. */
export interface Shown extends Pick<NewClient, "client_id" | "client_name"> {
  token_endpoint_auth_method?: string | undefined;
  grant_types?: string[];
}

export interface Imported {
  client: Shown;
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
  /** Of each client: its id and what there is to say, its id as what the command ends with, or its id. */
  each: "text" | "argument" | "id";
}

/** The lists below the table, and what to do about each. */
const topics: Record<Topic, List> = {
  changed: { advice: ["Not quite as they were:"], each: "text" },
  needs_secret: {
    advice: [
      "These need a secret, and cannot authenticate before: only a hash of it is in the table, or nothing.",
      "Either write the secret that the app is configured with into the file, in the place of the hash,",
      "and run the import again. Or make a new one and put that into the app's configuration:",
      "  npm run baton -- clients rotate-secret ID",
    ],
    each: "argument",
  },
  perhaps_hash: {
    advice: [
      "The secret of these has 64 hexadecimal digits, and was carried over as it is. It may be a SHA-256",
      "hash, which old versions of Passport kept. If the app is configured with another one, make a new one:",
      "  npm run baton -- clients rotate-secret ID",
    ],
    each: "argument",
  },
  easy_to_guess: {
    advice: [
      "The secret of these is shorter than 16 characters: it goes on working, but is easy to guess. Make a new one:",
      "  npm run baton -- clients rotate-secret ID",
    ],
    each: "argument",
  },
  form_encoded: {
    advice: [
      "The id or the secret of these has a % or a + in it. An app that sends it by HTTP Basic has to form-encode",
      "it (RFC 6749 section 2.3.1), which the old server did not ask for. In the body it goes on working.",
    ],
    each: "id",
  },
};

/** An import, as far as it came. */
export interface Report {
  /** The URL of the server that was asked. */
  server: string;
  dryRun: boolean;
  clients: Imported[];
}

/** What became of them, for scripts. */
export function outcomes({ server, dryRun, clients }: Report) {
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

/** What became of them, and what there is to do, for people. */
export function inWords({ server, dryRun, clients }: Report): string {
  if (clients.length === 0)
    return `At ${server}: there are no clients in the file.`;
  const number = `${clients.length} ${clients.length === 1 ? "client" : "clients"}`;
  const title = `At ${server}: ${number}${dryRun ? ", none of them touched" : ""}.`;
  const lists = (Object.keys(topics) as Topic[]).map((topic) =>
    listOf(topic, clients),
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

function authentication(client: Shown): string {
  if (client.grant_types === undefined) return "";
  const { token_endpoint_auth_method: method = "secret" } = client;
  return method === "none" ? "public" : method;
}

function listOf(topic: Topic, clients: Imported[]): string {
  const { advice, each } = topics[topic];
  const lines = clients.flatMap(({ client: { client_id }, notes }) =>
    notes
      .filter((note) => note.topic === topic)
      .map(({ text }) => {
        if (each === "text") return printable(`${client_id}: ${text}`);
        return printable(each === "id" ? client_id : argument(client_id));
      }),
  );
  return lines.length === 0
    ? ""
    : [...advice, ...lines.map((line) => `  ${line}`)].join("\n");
}
