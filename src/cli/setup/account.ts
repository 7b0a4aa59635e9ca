import { Failure } from "../failure.ts";
import { accounts, type Account, signIn, typed } from "./cloudflare.ts";
import type { Questions } from "./questions.ts";
import type { Reporter } from "./reporter.ts";
import type { JsonObject } from "./settings.ts";

/** The option that names the account. */
export interface AccountOptions {
  account?: string;
}

/**
 * Finds the account, and signs in if nobody is.
 *
 * @returns undefined: wrangler's own choice is the only one
 */
export async function chooseAccount(
  { account: given, dryRun }: AccountOptions & { dryRun?: true },
  settings: JsonObject | undefined,
  {
    reporter,
    questions,
    asJson,
  }: { reporter: Reporter; questions: Questions; asJson: boolean },
): Promise<string | undefined> {
  const chosen =
    given ?? (process.env["CLOUDFLARE_ACCOUNT_ID"] || settings?.["account_id"]);
  reporter.command(typed(["whoami", "--json"]));
  if (dryRun) return typeof chosen === "string" ? chosen : undefined;
  let found = await accounts();
  if (!found) {
    if (!process.stdin.isTTY)
      throw new Failure(
        "wrangler is not signed in to Cloudflare. Type `npx wrangler login`, or set the environment variable CLOUDFLARE_API_TOKEN. Then run setup again.",
      );
    reporter.command(typed(["login"]));
    await signIn(asJson);
    found = (await accounts()) ?? [];
  }
  const account = await pickAccount(found, chosen, questions);
  reporter.note(`${account.name} (${account.id})`);
  return account.id;
}

async function pickAccount(
  found: Account[],
  chosen: unknown,
  questions: Questions,
): Promise<Account> {
  const list = found.map(({ name, id }) => `  ${id}  ${name}`).join("\n");
  if (typeof chosen === "string") {
    const account = found.find(({ id }) => id === chosen);
    if (account) return account;
    throw new Failure(
      `This login has no Cloudflare account ${chosen}. It has:\n${list}`,
    );
  }
  const [first, ...others] = found;
  if (!first)
    throw new Failure(
      "This login has no Cloudflare account. Sign in with another one: npx wrangler login",
    );
  if (others.length === 0) return first;
  const id = await questions.ask({
    text: `Which account?\n${list}\nId`,
    option: "--account",
    problem: (answer) =>
      found.some((account) => account.id === answer)
        ? undefined
        : "must be the id of one of these accounts",
  });
  return found.find((account) => account.id === id)!;
}
