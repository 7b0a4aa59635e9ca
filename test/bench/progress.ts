/** Says what is going on, to whoever waits; the tables alone go to standard output. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
