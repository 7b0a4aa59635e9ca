import { Document, isScalar, Scalar, visit } from "yaml";
import { type Client, clientPage } from "../commands/client-schema.ts";
import type { Session } from "../commands/session.ts";
import { printable } from "../output.ts";
import { formatCount } from "../progress.ts";
import {
  clientFieldNames,
  type DesiredClient,
  type DesiredResource,
  type DesiredScope,
} from "./desired.ts";
import { isDefault, resourceDefaults, valueIn } from "./difference.ts";
import { catalogue, readResources } from "./server-state.ts";

export interface ExportOptions {
  clients?: true;
  scopes?: true;
  resources?: true;
}

/** Prints the scopes, resources and clients of a server in the form that `apply` reads. It has no secrets. */
export async function exportAll(
  session: Session,
  { clients, scopes, resources }: ExportOptions,
): Promise<void> {
  const all = !clients && !scopes && !resources;
  const found = all || resources ? await exportResources(session) : {};
  const content = {
    ...((all || scopes) && { scopes: await exportScopes(session) }),
    // Most servers have none.
    ...((resources || Object.keys(found).length > 0) && { resources: found }),
    ...((all || clients) && { clients: await exportClients(session) }),
  };
  const url = await session.serverUrl();
  session.print(content, () => yamlText(content, url).trimEnd());
}

/** A scope that names no claims is its description. */
async function exportScopes(
  session: Session,
): Promise<Record<string, string | DesiredScope>> {
  const { scopes } = await session.request({
    method: "GET",
    path: ["scopes"],
    schema: catalogue,
  });
  return sorted(
    scopes.map(({ scope, description, claims }) => [
      scope,
      claims ? { description, claims } : description,
    ]),
  );
}

async function exportResources(
  session: Session,
): Promise<Record<string, DesiredResource>> {
  const found = await readResources(session);
  return sorted(
    [...(found?.resources ?? [])].map(([uri, entry]) => [
      uri,
      Object.fromEntries(
        Object.entries(entry).filter(
          ([field, value]) =>
            value !== resourceDefaults[field as keyof DesiredResource],
        ),
      ),
    ]),
  );
}

/** Leaves out the clients that registered themselves, because no operator has decided their fields. */
async function exportClients(
  session: Session,
): Promise<Record<string, DesiredClient>> {
  const entries: [string, DesiredClient][] = [];
  let leftOut = 0;
  for await (const page of session.pages(["clients"], clientPage)) {
    const registered = page.clients.filter(
      ({ registered_by }) => registered_by === undefined,
    );
    leftOut += page.clients.length - registered.length;
    entries.push(
      ...registered.map((client): [string, DesiredClient] => [
        client.client_id,
        described(client),
      ]),
    );
    session.warn(
      page.malformed?.map(
        ({ name, problem }) =>
          `The record ${name} cannot be read (${problem}), so it is not in the output.`,
      ),
    );
  }
  if (leftOut > 0)
    session.warn([
      `${formatCount(leftOut)} of the clients registered themselves, so they are not in the output. They register again at another server.`,
    ]);
  return sorted(entries);
}

/** Takes the fields that an operator decides, without those that are left out anyway. */
function described(client: Client): DesiredClient {
  return Object.fromEntries(
    clientFieldNames
      .map((field) => [field, valueIn(client, field)] as const)
      .filter(([field, value]) => !isDefault(field, value)),
  );
}

/** Sorts by name, so that two exports can be compared. */
function sorted<T>(entries: [string, T][]): Record<string, T> {
  return Object.fromEntries(
    entries.toSorted(([one], [other]) => (one < other ? -1 : 1)),
  );
}

/** Makes YAML in which no text can control a terminal: such characters are escaped, in quotation marks. */
function yamlText(content: object, url: string): string {
  const document = new Document(content);
  document.commentBefore = ` ${printable(url)}: scopes, resources and clients, without secrets.\n To make a server like this: npm run baton -- apply FILE`;
  visit(document, {
    Scalar(_, node) {
      const { value } = node;
      if (isScalar(node) && typeof value === "string")
        if (printable(value) !== value) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document
    .toString({ lineWidth: 0 })
    .split("\n")
    .map(printable)
    .join("\n");
}
