/** Quotes values for command lines that people copy into a shell. */

/** Quotes any text so that a shell reads it as one word (POSIX.1, Shell Command Language, section 2.2.2). */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Quotes a command argument. `--` before one that starts with `-` keeps it from being read as an option. */
export function quoteArgument(text: string): string {
  return text.startsWith("-") ? `-- ${quote(text)}` : quote(text);
}
