import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ServerProcess } from "./server-process.ts";

/**
 * Runs a Worker as it is deployed, on the bare runtime. Neither `wrangler dev` nor Miniflare's proxy is
 * involved, because their work would be counted as the Worker's.
 */

/** What a deployment uploads to Cloudflare: the code and its configuration. */
export interface Upload {
  code: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  /** The `[vars]` of its wrangler.toml. */
  variables: Record<string, string>;
  /** The class of each Durable Object binding. */
  durableObjects: Record<string, string>;
  /** The code of other modules, by the file names under which the code imports them. No upload has any. */
  modules?: Record<string, string>;
}

export interface WorkerdOptions {
  worker: Upload;
  /** Secrets, which no upload contains, and variables that replace the upload's. */
  variables?: Record<string, string>;
  /** The KV bindings, because an upload without ids does not mark them as KV. */
  kv: string[];
}

/** The metadata of the uploaded form, as far as it is needed here. */
interface UploadMetadata {
  main_module: string;
  compatibility_date: string;
  compatibility_flags: string[];
  bindings: (
    | { type: "plain_text"; name: string; text: string }
    | { type: "durable_object_namespace"; name: string; class_name: string }
    | { type: "inherit"; name: string }
  )[];
}

const wranglerPackage = createRequire(import.meta.url).resolve(
  "wrangler/package.json",
);
const wranglerScript = join(dirname(wranglerPackage), "bin/wrangler.js");

/** The Worker behind a KV binding. */
const kvConfig = join(import.meta.dirname, "kv/wrangler.toml");

/** The uploads of this run, by their wrangler.toml, so that servers with the same Worker share one build. */
const built = new Map<string, string>();

/** The path of the runtime itself. The script around it would be a separate process, which would be measured. */
const { default: runtime } = createRequire(wranglerPackage)("workerd") as {
  default: string;
};

/**
 * Builds a Worker as `wrangler deploy` does, with the options in its wrangler.toml and no others. So the
 * measured code is the deployed code, with the same compatibility date and flags.
 *
 * @param folder takes the upload. An upload from an earlier start is used again, so that a server runs the
 *   same code after a crash.
 */
export async function buildUpload(
  wranglerToml: string,
  folder: string,
  name = "worker",
): Promise<Upload> {
  const file = join(folder, `${name}.upload`);
  const earlier = built.get(wranglerToml);
  if (earlier !== undefined && existsSync(earlier) && !existsSync(file))
    await copyFile(earlier, file);
  if (!existsSync(file)) {
    const options = ["--dry-run", "--outfile", file, "--config", wranglerToml];
    await promisify(execFile)(
      process.execPath,
      [wranglerScript, "deploy", ...options],
      {
        env: {
          ...process.env,
          WRANGLER_SEND_METRICS: "false",
          WRANGLER_HIDE_BANNER: "true",
        },
      },
    );
    built.set(wranglerToml, file);
  }
  return readUpload(await readFile(file));
}

/** @throws Error if the Worker is more than one module and its source map */
async function readUpload(form: Buffer<ArrayBuffer>): Promise<Upload> {
  const boundary = form.toString("latin1", 2, form.indexOf("\r\n"));
  const type = `multipart/form-data; boundary=${boundary}`;
  const parts = await new Response(form, {
    headers: { "content-type": type },
  }).formData();
  const textOf = async (name: string) => {
    const part = parts.get(name);
    return part instanceof File ? part.text() : (part ?? "");
  };
  const metadata = JSON.parse(await textOf("metadata")) as UploadMetadata;
  const { main_module: main } = metadata;
  const known = new Set(["metadata", main, `${main}.map`]);
  for (const name of parts.keys())
    if (!known.has(name))
      throw new Error(
        `The Worker has a second module, which is not supported here: ${name}`,
      );
  const upload: Upload = {
    code: await textOf(main),
    compatibilityDate: metadata.compatibility_date,
    compatibilityFlags: metadata.compatibility_flags,
    variables: {},
    durableObjects: {},
  };
  for (const binding of metadata.bindings) {
    if (binding.type === "plain_text")
      upload.variables[binding.name] = binding.text;
    else if (binding.type === "durable_object_namespace")
      upload.durableObjects[binding.name] = binding.class_name;
  }
  return upload;
}

/**
 * Starts a Worker. One process serves it, its Durable Objects and its KV.
 *
 * @param folder takes its code, its configuration, its data and its log
 */
export async function startWorkerd(
  { worker, variables, kv }: WorkerdOptions,
  folder: string,
  port: number,
): Promise<ServerProcess> {
  const storage = join(folder, "storage");
  await mkdir(storage, { recursive: true });
  const bindings = Object.entries({ ...worker.variables, ...variables }).map(
    ([name, value]) => `(name = ${text(name)}, text = ${text(value)})`,
  );
  const services = [
    `(name = "disk", disk = (path = ${text(storage)}, writable = true))`,
  ];
  for (const name of kv) {
    const store = await buildUpload(kvConfig, folder, "kv");
    const behind = `kv-${name}`;
    bindings.push(`(name = ${text(name)}, kvNamespace = ${text(behind)})`);
    services.push(await service(behind, store, [], folder));
  }
  services.push(await service("worker", worker, bindings, folder));
  const config = join(folder, "config.capnp");
  // Removed first, because only a new file gets the mode. The file contains the keys.
  await rm(config, { force: true });
  await writeFile(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(",\n")}],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "worker")],
);
`,
    { mode: 0o600 },
  );
  return ServerProcess.start({
    command: runtime,
    args: ["serve", config],
    port,
    up: "/",
    folder,
  });
}

/**
 * The configuration of one Worker. Its objects are found again after a restart by their class and the
 * Worker's name.
 */
async function service(
  name: string,
  {
    code,
    compatibilityDate,
    compatibilityFlags,
    durableObjects,
    modules = {},
  }: Upload,
  bindings: string[],
  folder: string,
): Promise<string> {
  // The main module is the first.
  const files = { [`${name}.js`]: code, ...modules };
  for (const [file, content] of Object.entries(files))
    await writeFile(join(folder, file), content);
  const embedded = Object.keys(files).map(
    (file) => `(name = ${text(file)}, esModule = embed ${text(file)})`,
  );
  const objects = Object.entries(durableObjects);
  const all = objects.map(
    ([binding, className]) =>
      `(name = ${text(binding)}, durableObjectNamespace = ${text(className)})`,
  );
  const namespaces = objects.map(
    ([, className]) =>
      `(className = ${text(className)}, uniqueKey = ${text(`${name}-${className}`)}, enableSql = true)`,
  );
  return `(name = ${text(name)}, worker = (
    modules = [${embedded.join(", ")}],
    compatibilityDate = ${text(compatibilityDate)},
    compatibilityFlags = [${compatibilityFlags.map(text).join(", ")}],
    bindings = [${[...bindings, ...all].join(", ")}],
    durableObjectNamespaces = [${namespaces.join(", ")}],
    durableObjectStorage = (localDisk = "disk"),
  ))`;
}

/** A string for Cap'n Proto, whose syntax is JSON's except for control characters. */
function text(value: string): string {
  return JSON.stringify(value);
}
