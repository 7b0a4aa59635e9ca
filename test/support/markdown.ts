/** The code blocks of a language below a heading of a Markdown text. */
export function blocks(
  text: string,
  heading: string,
  language: string,
): string[] {
  const section =
    text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const fence = new RegExp(`^ *\`\`\`${language}\n(.*?)^ *\`\`\``, "gms");
  return [...section.matchAll(fence)].map((match) => match[1] ?? "");
}
