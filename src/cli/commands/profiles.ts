import type { Command } from "commander";
import { adminTokenProblem, parseOrigin } from "./connection.ts";
import { Failure } from "../failure.ts";
import { table } from "../output.ts";
import {
  checkName,
  type Profile,
  profilesPath,
  readProfiles,
  tokenVariable,
  writeProfiles,
} from "../profiles.ts";
import { examples } from "../program.ts";
import { readSecret } from "../secret-input.ts";
import type { Session } from "./session.ts";

interface AddOptions {
  replace?: boolean;
  token: boolean;
  wranglerEnv?: string;
}

/** `baton profiles …`: names for servers, which `--env` takes. */
export function profileCommands(program: Command, session: Session): void {
  const profiles = program
    .command("profiles")
    .description(
      "manage profiles: names of servers with their admin tokens, for --env",
    );

  profiles
    .command("add <name>")
    .description(
      "add a profile for the server in --url; asks for the admin token, or reads it from standard input",
    )
    .option(
      "--no-token",
      "keep no token; it comes from the environment variable BATON_ADMIN_TOKEN_NAME",
    )
    .option(
      "--wrangler-env <name>",
      "environment of the settings (env.NAME in wrangler.json or wrangler.toml) that the server is deployed from",
    )
    .option("--replace", "replace a profile with this name")
    .addHelpText(
      "after",
      examples(
        "profiles add production --url https://auth.example.com",
        "--env production clients list",
      ),
    )
    .action(async (name: string, options: AddOptions) => {
      checkName(name);
      const { url } = program.opts<{ url?: string }>();
      if (url === undefined)
        throw new Failure(
          `A profile needs the URL of its server. Add --url, such as --url https://auth.example.com.`,
        );
      const { origin } = parseOrigin(url, "--url");
      const path = profilesPath(process.env);
      const before = await readProfiles(path);
      if (before[name] && !options.replace)
        throw new Failure(
          `There is a profile ${name} already, for ${before[name].url}. To replace it, add --replace.`,
        );
      const token = options.token ? await askToken(origin) : "";
      const profile: Profile = {
        url: origin,
        ...(token && { token }),
        ...(options.wranglerEnv !== undefined && {
          wrangler_env: options.wranglerEnv,
        }),
      };
      // Read again, because the question may have taken a while.
      await writeProfiles(path, {
        ...(await readProfiles(path)),
        [name]: profile,
      });
      session.done({ added: name, ...shown(name, profile) }, () =>
        [
          `Added the profile ${name} to ${path}.`,
          ...(token
            ? []
            : [
                `It keeps no token. Set the environment variable ${tokenVariable(name)} to the server's ADMIN_TOKEN.`,
              ]),
        ].join("\n"),
      );
    });

  profiles
    .command("list")
    .description("list the profiles; tokens are not shown")
    .addHelpText("after", examples("profiles list"))
    .action(async () => {
      const found = Object.entries(
        await readProfiles(profilesPath(process.env)),
      ).map(([name, profile]) => shown(name, profile));
      session.print({ profiles: found }, () =>
        found.length === 0
          ? "There are no profiles yet. To add one: npm run baton -- profiles add production --url https://auth.example.com"
          : table(
              ["name", "url", "token", "wrangler env"],
              found.map(({ name, url, token, wrangler_env = "" }) => [
                name,
                url,
                token,
                wrangler_env,
              ]),
            ),
      );
    });

  profiles
    .command("remove <name>")
    .description("remove a profile, with its token")
    .addHelpText("after", examples("profiles remove production"))
    .action(async (name: string) => {
      checkName(name);
      const path = profilesPath(process.env);
      const { [name]: removed, ...rest } = await readProfiles(path);
      if (!removed)
        throw new Failure(`There is no profile ${name} in ${path}.`);
      await writeProfiles(path, rest);
      session.done({ removed: name }, () => `Removed the profile ${name}.`);
    });
}

async function askToken(url: string): Promise<string> {
  const token = await readSecret(
    `ADMIN_TOKEN of ${url} (not shown; empty to keep none): `,
  );
  const problem = token === "" ? undefined : adminTokenProblem(token);
  if (problem !== undefined)
    throw new Failure(
      `The input cannot be an admin token, because ${problem}. Nothing was added.`,
    );
  return token;
}

/** What may be shown of a profile: everything but the token. */
function shown(name: string, { url, token, wrangler_env }: Profile) {
  const variable = tokenVariable(name);
  const source = process.env[variable]
    ? variable
    : token === undefined
      ? `none: set ${variable}`
      : "in the file";
  return {
    name,
    url,
    token: source,
    ...(wrangler_env !== undefined && { wrangler_env }),
  };
}
