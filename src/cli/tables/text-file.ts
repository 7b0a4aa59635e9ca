import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Failure } from "../failure.ts";

/** A read of this many bytes at a time: the file may be larger than the memory. */
const CHUNK_BYTES = 256 * 1024;

/** Makes sure that there is a file to read, and to read again. @throws Failure */
export async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(path, error);
  });
  if (found.isDirectory())
    throw new Failure(`${path} is a directory. Name a file in it.`);
  if (!found.isFile()) {
    throw new Failure(
      `${path} is not a file. It is read twice, so that nothing is imported of one with a bad line: save what comes from there to a file first.`,
    );
  }
  if (found.size === 0) throw isEmpty(path);
}

export function isEmpty(path: string): Failure {
  return new Failure(
    `${path} is empty. If that is how it should be, there is nothing to do; else export the table again.`,
  );
}

/**
 * The text of a file, piece by piece, with \n at the end of every line, whatever it has there.
 *
 * @throws Failure if it can't be read, or is not text in UTF-8
 */
export async function* readText(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let line = 1;
  // Of a pair of \r\n that two reads have torn apart.
  let held = "";
  const decoded = (chunk?: Buffer) => {
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
      const text = held + decoded(chunk);
      held = text.endsWith("\r") ? "\r" : "";
      const lines = withNewlines(held ? text.slice(0, -1) : text);
      yield lines;
      line += lines.split("\n").length - 1;
    }
  } catch (error) {
    throw error instanceof Failure
      ? error
      : unreadable(path, error as NodeJS.ErrnoException);
  }
  yield withNewlines(held + decoded());
}

function withNewlines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

function notText(path: string, line: number): Failure {
  return new Failure(
    `${path} is not text in UTF-8 (at line ${line} or soon after). If it is packed, unpack it; if it is a spreadsheet or has another encoding, save it as CSV in UTF-8.`,
  );
}

function unreadable(path: string, { code, message }: NodeJS.ErrnoException) {
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Failure(`There is no file ${path}. Is the path right?`);
  if (code === "EACCES" || code === "EPERM")
    return new Failure(`This user may not read ${path}.`);
  return new Failure(`${path} cannot be read: ${message}.`);
}
