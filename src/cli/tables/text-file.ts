import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Failure } from "../failure.ts";

/** Size of one read. The file is read in pieces, because it may be larger than the memory. */
const CHUNK_BYTES = 256 * 1024;

/** Checks that the path names a file that can be read more than once. @throws Failure */
export async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw readError(path, error);
  });
  if (found.isDirectory())
    throw new Failure(`${path} is a directory. Give the path of a file.`);
  if (!found.isFile()) {
    throw new Failure(
      `${path} is not a regular file. The file is read twice, so that a wrong line is found before anything is imported. Save the data to a file first.`,
    );
  }
  if (found.size === 0) throw emptyFileError(path);
}

export function emptyFileError(path: string): Failure {
  return new Failure(
    `${path} is empty. If the table has no rows, there is nothing to do. Otherwise export the table again.`,
  );
}

/**
 * Reads the text of a file in pieces. Every line break (\r\n, \r or \n) becomes \n.
 *
 * @throws Failure if the file cannot be read, or is not text in UTF-8
 */
export async function* readText(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let line = 1;
  // The \r of a \r\n that is split between two reads.
  let held = "";
  const decode = (chunk?: Buffer) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw notText(path, line);
    }
  };
  try {
    const chunks = createReadStream(path, { highWaterMark: CHUNK_BYTES });
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      if (chunk.includes(0)) throw notText(path, line);
      const text = held + decode(chunk);
      held = text.endsWith("\r") ? "\r" : "";
      const lines = withNewlines(held ? text.slice(0, -1) : text);
      yield lines;
      line += lines.split("\n").length - 1;
    }
  } catch (error) {
    throw error instanceof Failure
      ? error
      : readError(path, error as NodeJS.ErrnoException);
  }
  yield withNewlines(held + decode());
}

function withNewlines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

function notText(path: string, line: number): Failure {
  return new Failure(
    `${path} is not text in UTF-8 (at line ${line} or soon after). Unpack a compressed file. Save a spreadsheet, or a file with another encoding, as CSV in UTF-8.`,
  );
}

function readError(path: string, { code, message }: NodeJS.ErrnoException) {
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Failure(`There is no file ${path}. Check the path.`);
  if (code === "EACCES" || code === "EPERM")
    return new Failure(
      `The current user is not allowed to read ${path}. Change its permissions, or run the command as another user.`,
    );
  return new Failure(`Cannot read ${path}: ${message}.`);
}
