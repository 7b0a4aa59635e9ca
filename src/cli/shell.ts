/** Names from elsewhere in a command line that people copy. */

/** One word for the shell (POSIX, section 2.2.2), whatever is in it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** An argument that is none of the options, also if it begins as they do. */
export function argument(text: string): string {
  return text.startsWith("-") ? `-- ${quoted(text)}` : quoted(text);
}
