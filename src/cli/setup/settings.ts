import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { SETTINGS_FILE, settingsPath } from "../local/settings-file.ts";
import { projectDirectory } from "../local/wrangler.ts";
import { isWorkersDev, PRODUCTION } from "./address.ts";

/**
 * The settings of one's own deployments: wrangler.json, which wrangler reads in place of wrangler.toml. It is a copy of
 * wrangler.toml with the values of one's own, because `[env]` blocks do not inherit bindings and variables. The
 * project never has this file, so `git pull` cannot change it or conflict with it.
 */

const basePath = join(projectDirectory, "wrangler.toml");

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json | undefined;
}

/** The address by which plain `npx wrangler dev` serves: its default port. */
const LOCAL_HOST = "localhost:8787";

/** The answers that setup writes. */
export interface Deployment {
  environment: string;
  worker: string;
  issuer: string;
  /** Empty: none. */
  loginUrl: string;
  /** The Cloudflare account. Undefined: the one that wrangler finds. */
  account: string | undefined;
}

/** The fields that belong to the program, so that those of wrangler.toml count. */
const ofTheProgram = [
  "main",
  "compatibility_date",
  "compatibility_flags",
  "minify",
  "keep_names",
  "upload_source_maps",
  "exports",
];
/** The fields that a block gets from the top of the file. All others must be in the block, or it has none. */
const inherited = [
  ...ofTheProgram,
  "name",
  "account_id",
  "send_metrics",
  "observability",
  "dev",
  "build",
  "$schema",
];

/** Reads wrangler.json. Undefined: there is none. @throws Failure if it is not JSON */
export async function readSettings(): Promise<JsonObject | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(settingsPath, "utf8"));
    if (isObject(value)) return value;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Failure(
      `${SETTINGS_FILE} cannot be read: ${(error as Error).message}. It must be JSON without comments. Correct it, or move it away and run setup again.`,
    );
  }
  throw new Failure(
    `${SETTINGS_FILE} is not a JSON object. Correct it, or move it away and run setup again.`,
  );
}

/** Reads wrangler.toml with wrangler's own parser. It is imported here, because it takes a second to load. */
export async function readBase(): Promise<JsonObject> {
  const { experimental_readRawConfig: read } = await import("wrangler");
  const { rawConfig } = read({ config: basePath });
  return JSON.parse(JSON.stringify(rawConfig)) as JsonObject;
}

/** Tells whether the settings were made from wrangler.toml as it is now. */
export async function isUpToDate(settings: JsonObject): Promise<boolean> {
  const { command } = objectIn(settings, "build");
  return command === objectIn(await withChecks(settings), "build")["command"];
}

/**
 * Returns the settings with the command that wrangler runs before a deploy. Without production, the top of the file has
 * no address, and its command refuses the deploy. Then each block has a command of its own.
 */
async function withChecks(settings: JsonObject): Promise<JsonObject> {
  const command = `node src/cli/setup/check.js ${await baseHash()}`;
  const hasProduction = blockOf(settings, PRODUCTION) !== undefined;
  const blocks = Object.entries(objectIn(settings, "env")).map(
    ([environment, block]): [string, JsonObject] => {
      const { build: _build, ...rest } = objectOf(block);
      return [
        environment,
        hasProduction ? rest : { ...rest, build: { command } },
      ];
    },
  );
  return {
    ...settings,
    ...(blocks.length > 0 && { env: Object.fromEntries(blocks) }),
    build: { command: hasProduction ? command : `${command} no-production` },
  };
}

/** Returns the block of an environment. Undefined: the file has none. */
export function blockOf(
  settings: JsonObject | undefined,
  environment: string,
): JsonObject | undefined {
  if (environment === PRODUCTION)
    // A file that only has other environments has no address at its top.
    return variablesOf(settings)["ISSUER"] ? settings : undefined;
  const { [environment]: block } = objectIn(settings, "env");
  return isObject(block) ? block : undefined;
}

/** Lists the environments of the settings. Undefined stands for production, which wrangler has no name for. */
export function environmentsOf(settings: JsonObject): (string | undefined)[] {
  const blocks = Object.keys(objectIn(settings, "env"));
  return blockOf(settings, PRODUCTION) ? [undefined, ...blocks] : blocks;
}

export function variablesOf(block: JsonObject | undefined): JsonObject {
  return objectIn(block, "vars");
}

/** Tells whether the settings have the answers already. */
export function hasDeployment(
  settings: JsonObject,
  { environment, worker, issuer, loginUrl, account }: Deployment,
): boolean {
  const block = blockOf(settings, environment);
  const { ISSUER, LOGIN_URL } = variablesOf(block);
  return (
    block?.["name"] === worker &&
    ISSUER === issuer &&
    LOGIN_URL === loginUrl &&
    (account === undefined || settings["account_id"] === account)
  );
}

/** Returns the settings with the answers in them, and with all that is new in wrangler.toml. */
export function withDeployment(
  base: JsonObject,
  settings: JsonObject | undefined,
  { environment, worker, issuer, loginUrl, account }: Deployment,
): JsonObject {
  const before = blockOf(settings, environment) ?? {};
  const isMoved = variablesOf(before)["ISSUER"] !== issuer;
  const own: JsonObject = {
    ...before,
    name: worker,
    ...(isMoved && addressFields(issuer)),
    vars: { ...variablesOf(before), ISSUER: issuer, LOGIN_URL: loginUrl },
  };
  const all: JsonObject = {
    ...settings,
    ...(account !== undefined && { account_id: account }),
  };
  return environment === PRODUCTION
    ? updated(base, { ...all, ...own })
    : updated(base, {
        ...all,
        env: { ...objectIn(settings, "env"), [environment]: own },
      });
}

/** Leads the address to the Worker, and only the address. */
function addressFields(issuer: string): JsonObject {
  const isOfCloudflare = isWorkersDev(issuer);
  const { hostname } = new URL(issuer);
  return {
    workers_dev: isOfCloudflare,
    // Every version would have an address of its own beside ISSUER.
    preview_urls: false,
    // Present in any case, because a block without routes gets those at the top of the file.
    routes: isOfCloudflare ? [] : [{ pattern: hostname, custom_domain: true }],
  };
}

/**
 * Returns the settings with what wrangler.toml has and they do not: variables, bindings, classes. The values of one's
 * own stay, except the fields of the program.
 */
export function updated(base: JsonObject, settings: JsonObject): JsonObject {
  const { env: _env, build: _build, ...top } = settings;
  const merged = merge(base, top) as JsonObject;
  for (const name of ofTheProgram) {
    const value = base[name];
    if (value === undefined) delete merged[name];
    else merged[name] = value;
  }
  const blocks = Object.entries(objectIn(settings, "env")).map(
    ([environment, block]) => [
      environment,
      merge(blockBase(base, environment), isObject(block) ? block : {}),
    ],
  );
  const all = {
    ...merged,
    ...(blocks.length > 0 && { env: Object.fromEntries(blocks) as JsonObject }),
  };
  return withLocalHost(all);
}

/**
 * Lets plain `npx wrangler dev` serve. With a route and without `dev.host`, the Worker would see the host name of the
 * route with plain http, which it redirects to https, and so to itself.
 */
function withLocalHost(settings: JsonObject): JsonObject {
  const blocks = [settings, ...Object.values(objectIn(settings, "env"))];
  const hasRoutes = blocks.map(objectOf).some(({ route, routes }) => {
    return route !== undefined || (Array.isArray(routes) && routes.length > 0);
  });
  return hasRoutes
    ? { ...settings, dev: { host: LOCAL_HOST, ...objectIn(settings, "dev") } }
    : settings;
}

/** Returns what a block of its own must have of wrangler.toml. */
function blockBase(base: JsonObject, environment: string): JsonObject {
  const { kv_namespaces, ratelimits, analytics_engine_datasets, ...rest } =
    base;
  const fields = Object.entries(rest).filter(
    ([name]) => !inherited.includes(name),
  );
  return {
    ...Object.fromEntries(fields),
    routes: [],
    ...(Array.isArray(kv_namespaces) && {
      // Without the id, which is that of another environment's records.
      kv_namespaces: kv_namespaces.map((namespace) => ({
        binding: objectOf(namespace)["binding"]!,
      })),
    }),
    ...(Array.isArray(ratelimits) && {
      // Counters with one id are shared by all Workers of an account.
      ratelimits: ratelimits.map(objectOf).map((limit) => ({
        ...limit,
        namespace_id: `1${limit["namespace_id"] as string}`,
      })),
    }),
    ...(Array.isArray(analytics_engine_datasets) && {
      // One dataset would mix the figures of all environments.
      analytics_engine_datasets: analytics_engine_datasets
        .map(objectOf)
        .map((dataset) => ({
          ...dataset,
          dataset: datasetName(dataset, environment),
        })),
    }),
  };
}

/** The name of an environment's own dataset, with underscores, because the SQL of datasets reads a hyphen as minus. */
function datasetName(dataset: JsonObject, environment: string): string {
  const name = dataset["dataset"] ?? dataset["binding"];
  return `${name as string}_${environment}`.replaceAll("-", "_");
}

/** Merges two values. The second counts, and has what only the first has. Bindings are the same by their names. */
function merge(base: Json | undefined, own: Json | undefined): Json {
  if (base === undefined || own === undefined) return own ?? base ?? null;
  if (isObject(base) && isObject(own)) {
    const names = new Set([...Object.keys(base), ...Object.keys(own)]);
    return Object.fromEntries(
      [...names].map((name) => [name, merge(base[name], own[name])]),
    );
  }
  const isList = Array.isArray(base) && Array.isArray(own);
  if (!isList || base.length === 0 || !base.every(isBinding)) return own;
  const same = (one: Json) => (other: Json) => nameOf(one) === nameOf(other);
  return [
    ...base.map((item) => merge(item, own.find(same(item)))),
    ...own.filter((item) => !base.some(same(item))),
  ];
}

function nameOf(item: Json): Json | undefined {
  const { binding, name } = objectOf(item);
  return binding ?? name;
}

function isBinding(item: Json): boolean {
  return nameOf(item) !== undefined;
}

/** The hash of wrangler.toml, by which `check.js` sees that it has changed since the settings were made. */
export async function baseHash(): Promise<string> {
  const text = await readFile(basePath, "utf8");
  const lines = text.replaceAll("\r\n", "\n");
  return createHash("sha256").update(lines).digest("hex").slice(0, 16);
}

/** Returns the text of wrangler.json. */
export async function settingsText(settings: JsonObject): Promise<string> {
  return `${JSON.stringify(await withChecks(settings), undefined, 2)}\n`;
}

/** Writes wrangler.json in one step, so that it is never half written. */
export async function writeSettings(text: string): Promise<void> {
  const fresh = `${settingsPath}.${process.pid}`;
  try {
    await writeFile(fresh, text, { flag: "wx" });
    await rename(fresh, settingsPath);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new Failure(
      `Cannot write ${SETTINGS_FILE}: ${(error as Error).message}.`,
    );
  }
}

function objectIn(object: JsonObject | undefined, name: string): JsonObject {
  return objectOf(object?.[name]);
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
