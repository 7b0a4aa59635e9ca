/** Reports progress on standard error. Standard output gets only the tables. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
