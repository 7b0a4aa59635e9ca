/** Reads as much of Markdown as the tests of the pages need. */

/** A fenced code block. */
export interface Block {
  /** The heading above the block. */
  heading: string;
  /** The word after the opening fence; empty if there is none. */
  language: string;
  /** The lines between the fences. */
  text: string;
}

interface Heading {
  text: string;
  /** The anchor that GitHub gives it, without the #. */
  anchor: string;
}

export interface Page {
  blocks: Block[];
  headings: Heading[];
  /** Everything outside of the blocks. */
  prose: string;
  /** The targets of links and images. */
  links: string[];
}

/** Reads a page. A fence may be indented, as in a list. */
export function parse(markdown: string): Page {
  const blocks: Block[] = [];
  const titles: string[] = [];
  const prose: string[] = [];
  let open: Block | undefined;
  for (const line of markdown.split("\n")) {
    const [, fence] = /^ *```(\S*)$/.exec(line) ?? [];
    const [, title] = /^#+ (.+)$/.exec(line) ?? [];
    if (open && fence === "") open = undefined;
    else if (open) open.text += `${line}\n`;
    else if (fence !== undefined) {
      open = { heading: titles.at(-1) ?? "", language: fence, text: "" };
      blocks.push(open);
    } else {
      if (title !== undefined) titles.push(title);
      prose.push(line);
    }
  }
  if (open) throw new Error(`a block below "${open.heading}" has no end`);
  const text = prose.join("\n");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)];
  return {
    blocks,
    headings: withAnchors(titles),
    prose: text,
    links: links.map(([, target = ""]) => target),
  };
}

/** Finds the code blocks of a language below a heading. */
export function blocks(
  markdown: string,
  heading: string,
  language: string,
): string[] {
  return parse(markdown)
    .blocks.filter(
      (block) => block.heading === heading && block.language === language,
    )
    .map(({ text }) => text);
}

/** Adds the anchors. GitHub numbers headings with the same text, from the second on. */
function withAnchors(titles: readonly string[]): Heading[] {
  const seen = new Map<string, number>();
  return titles.map((text) => {
    const plain = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
      .replaceAll(" ", "-");
    const before = seen.get(plain) ?? 0;
    seen.set(plain, before + 1);
    return { text, anchor: before === 0 ? plain : `${plain}-${before}` };
  });
}
