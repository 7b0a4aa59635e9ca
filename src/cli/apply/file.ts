import { readFile, stat } from "node:fs/promises";
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
} from "yaml";
import type { z } from "zod";
import { Failure } from "../failure.ts";
import { printable } from "../output.ts";
import { formatCount } from "../progress.ts";
import { quoteArgument } from "../shell.ts";
import {
  clientFieldNames,
  type Desired,
  desiredSchema,
  type Path,
  resourceFieldNames,
  scopeFieldNames,
} from "./desired.ts";

/** The largest file, in bytes. Thousands of clients are smaller. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** The most clients in a file. Each takes two or three requests, so a run of them takes minutes. */
const MAX_CLIENTS = 5000;
/** The most problems that an error lists. */
const MAX_PROBLEMS = 20;

/** A problem of a value in a file. */
export interface FileProblem {
  path: Path;
  message: string;
}

/** The content of a file, and where each value of it is. */
export interface DesiredFile {
  desired: Desired;
  /** Makes the failure that lists problems, each with file, line and field. */
  failure(problems: FileProblem[]): Failure;
}

/**
 * Reads a file of scopes and clients, in YAML or JSON, which is a part of YAML.
 *
 * @throws Failure if the file cannot be read, or is wrong; it names every line and field
 */
export async function readDesiredFile(path: string): Promise<DesiredFile> {
  const lines = new LineCounter();
  const document = parseDocument(await readText(path), {
    lineCounter: lines,
    prettyErrors: false,
  });
  const fail = (problems: { offset: number; text: string }[]) =>
    failureOf(
      path,
      problems.map(({ offset, text }) => ({ ...lines.linePos(offset), text })),
    );
  const faults = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => ({ offset: pos[0], text: message }),
  );
  if (faults.length > 0) throw fail(faults);
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null))
    throw fail([{ offset: 0, text: "the file is empty" }]);
  const keys = keyProblems(document);
  if (keys.length > 0) throw fail(keys);

  const failure = (problems: FileProblem[]) =>
    fail(
      problems.map(({ path: field, message }) => ({
        offset: offsetOf(document, field),
        text: field.length > 0 ? `${field.join(".")}: ${message}` : message,
      })),
    );
  const parsed = desiredSchema.safeParse(document.toJS(), {
    error: (issue) => messageOf(issue),
  });
  if (!parsed.success) throw failure(parsed.error.issues.flatMap(problemsOf));
  const count = Object.keys(parsed.data.clients ?? {}).length;
  if (count > MAX_CLIENTS)
    throw new Failure(
      `${path} has ${formatCount(count)} clients, and a file may have at most ${formatCount(MAX_CLIENTS)}. Nothing was changed. Split it into several files, and apply one after the other.`,
    );
  return { desired: parsed.data, failure };
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      throw new Failure(
        `${path} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB, so it is not read. Split it into several files.`,
      );
    return new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: false,
    }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error instanceof TypeError)
      throw new Failure(`${path} is not text in UTF-8. Save it as UTF-8.`);
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(
      code === "ENOENT"
        ? `There is no file ${path}. Check the path. To make such a file: npm run -s baton -- export > clients.yaml`
        : `Cannot read ${path}: ${code ?? String(error)}.`,
    );
  }
}

/** Finds keys that YAML does not read as text, such as a client id of digits. */
function keyProblems(document: Document): { offset: number; text: string }[] {
  const problems: { offset: number; text: string }[] = [];
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && typeof key.value === "string") return;
      problems.push({
        offset: isNode(key) ? (key.range?.[0] ?? 0) : 0,
        text: isScalar(key)
          ? `${key.source ?? String(key.value)}: must be in quotation marks, because YAML reads it as something else than text`
          : "the name of a field must be text",
      });
    },
  });
  return problems;
}

/** Finds a value, or its name if it has one. Of a value that is not there: the one that it would be in. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent: unknown = document.getIn(path.slice(0, length - 1), true);
    const name = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === name)
      : undefined;
    const found = pair?.key ?? document.getIn(path.slice(0, length), true);
    if (isNode(found) && found.range) return found.range[0];
  }
  return 0;
}

function problemsOf(issue: z.core.$ZodIssue): FileProblem[] {
  const path = issue.path.map((part) =>
    typeof part === "number" ? part : String(part),
  );
  if (issue.code === "invalid_union") {
    // A scope: a text, or an object. Its problems are those of what it is.
    const [ofText = [], ofObject = []] = issue.errors;
    const isObject = ofObject.every(
      ({ code, path: inside }) => inside.length > 0 || code !== "invalid_type",
    );
    return (isObject ? ofObject : ofText).flatMap((inner) =>
      problemsOf({ ...inner, path: [...issue.path, ...inner.path] }),
    );
  }
  return issue.code === "unrecognized_keys"
    ? issue.keys.map((key) => ({
        path: [...path, key],
        message: unknownField(path, key),
      }))
    : [{ path, message: issue.message }];
}

function unknownField(path: Path, field: string): string {
  if (path.length === 0)
    return "is not a part of such a file. It has scopes, resources and clients";
  const [section, client = ""] = path;
  if (section === "scopes")
    return `is not a field of a scope in such a file. The fields are: ${scopeFieldNames.join(", ")}`;
  if (section === "resources")
    return `is not a field of a resource in such a file. The fields are: ${resourceFieldNames.join(", ")}`;
  if (field === "client_secret")
    return `is not a field of a client in such a file, because secrets are not in it. Leave it out. To make a secret for a client: npm run baton -- clients rotate-secret ${quoteArgument(String(client))}`;
  return `is not a field of a client in such a file. The fields are: ${clientFieldNames.join(", ")}`;
}

/** Makes the message of a problem, without the value, which may be a secret in the wrong place. */
function messageOf(issue: {
  code?: string | undefined;
  expected?: unknown;
  input?: unknown;
}): string | undefined {
  const { code, expected, input } = issue;
  if (code !== "invalid_type") return undefined;
  const isNumber = typeof input === "number" || typeof input === "boolean";
  switch (expected) {
    case "string":
      return isNumber
        ? "must be text: put it in quotation marks"
        : "must be text";
    case "boolean":
      return "must be true or false";
    case "array":
      return "must be a list";
    default:
      return "must be an object, with a field on each line";
  }
}

function failureOf(
  path: string,
  problems: { line: number; col: number; text: string }[],
): Failure {
  const shown = problems
    .toSorted((one, other) => one.line - other.line)
    .slice(0, MAX_PROBLEMS)
    .map(({ line, col, text }) => `${path}:${line}:${col}: ${printable(text)}`);
  const more = problems.length - shown.length;
  return new Failure(
    [
      ...shown,
      ...(more > 0 ? [`… and ${more} more`] : []),
      `Nothing was changed. Correct the file and run the same command again.`,
    ].join("\n"),
  );
}
