import type { Command } from "commander";
import { z } from "zod";
import { accessTokenFormats } from "../../oauth/settings.ts";
import { confirm, type ConfirmOptions, yesOption } from "../confirm.ts";
import { fields, printable, table } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

/** A protected resource, as the server lists it. */
export const resource = z.looseObject({
  resource: z.string(),
  name: z.string().optional(),
  scope: z.string(),
  audience: z.string().optional(),
  access_token_format: z.string().optional(),
  access_token_ttl: z.string().optional(),
  self_registered_clients: z.boolean(),
});

export const resourceList = z.looseObject({ resources: z.array(resource) });

interface PutOptions {
  name?: string;
  scope?: string;
  audience?: string;
  accessTokenFormat?: string;
  accessTokenTtl?: string;
  selfRegisteredClients?: boolean;
}

/** `baton resources …`: the catalogue of protected resources. */
export function resourceCommands(program: Command, session: Session): void {
  const resources = program
    .command("resources")
    .description(
      "manage the catalogue of protected resources: the APIs and MCP servers that tokens are for",
    );

  resources
    .command("list")
    .description("list the resources")
    .addHelpText("after", examples("resources list"))
    .action(async () => {
      const body = await session.request({
        method: "GET",
        path: ["resources"],
        schema: resourceList,
      });
      session.print(body, ({ resources }) =>
        resources.length === 0
          ? "There are no resources yet. Create one with: npm run baton -- resources put https://api.example.com --scope read"
          : table(
              ["resource", "scope", "open to self-registered clients"],
              resources.map((entry) => [
                entry.resource,
                entry.scope,
                entry.self_registered_clients ? "yes" : "no",
              ]),
            ),
      );
    });

  resources
    .command("put <uri>")
    .description(
      'create a resource, or change it; what is left out stays as it is, and "" removes a value',
    )
    .option("--name <name>", "a name for people")
    .option(
      "--scope <scopes>",
      'the scopes that belong to the resource, such as "read write"; they must be in the scope catalogue',
    )
    .option(
      "--audience <audience>",
      "the audience of its access tokens (default: the URI)",
    )
    .option(
      "--access-token-format <format>",
      `the format of its access tokens, ${accessTokenFormats.join(" or ")} (default: that of the client)`,
    )
    .option(
      "--access-token-ttl <duration>",
      "the lifetime of its access tokens, such as PT10M (default: that of the client)",
    )
    .option(
      "--self-registered-clients",
      "clients that registered themselves may ask for the resource and its scopes",
    )
    .option(
      "--no-self-registered-clients",
      "only clients whose records name the resource may ask for it",
    )
    .addHelpText(
      "after",
      examples(
        'resources put https://api.example.com --scope "read write"',
        "resources put https://mcp.example.com/mcp --scope tools --self-registered-clients",
      ),
    )
    .action(async (uri: string, options: PutOptions) => {
      const body = await session.request({
        method: "PUT",
        path: ["resources", uri],
        body: bodyOf(options),
        schema: resource,
      });
      session.print(body, fields);
    });

  resources
    .command("delete <uri>")
    .description(
      "delete a resource; clients that registered themselves lose it. Asks first on a terminal",
    )
    .option(...yesOption)
    .addHelpText("after", examples("resources delete https://api.example.com"))
    .action(async (uri: string, options: ConfirmOptions) => {
      if (!options.yes && process.stdin.isTTY) {
        const url = await session.serverUrl();
        await confirm(
          `This deletes the resource ${printable(uri)} on ${url}: clients that registered themselves lose it, and so do their logins.`,
          options,
        );
      }
      await session.request({
        method: "DELETE",
        path: ["resources", uri],
        schema: z.unknown(),
      });
      session.done({ deleted: uri }, () => `Deleted the resource ${uri}.`);
    });
}

/** The fields of a change. An empty text removes a value. */
function bodyOf(options: PutOptions): Record<string, unknown> {
  const { selfRegisteredClients } = options;
  const texts = {
    name: options.name,
    scope: options.scope,
    audience: options.audience,
    access_token_format: options.accessTokenFormat,
    access_token_ttl: options.accessTokenTtl,
  };
  return {
    ...Object.fromEntries(
      Object.entries(texts)
        .filter(([, text]) => text !== undefined)
        .map(([name, text]) => [name, text === "" ? null : text]),
    ),
    ...(selfRegisteredClients !== undefined && {
      self_registered_clients: selfRegisteredClients,
    }),
  };
}
