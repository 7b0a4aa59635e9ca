import type { Command, Option } from "commander";

/** A word that can be completed, and what it means. */
export interface Candidate {
  word: string;
  description: string;
}

/** One command of the program, by the words that lead to it. The program itself has the empty path. */
export interface CommandNode {
  path: string[];
  commands: Candidate[];
  options: Candidate[];
  /** The values of an argument that has a fixed list of them. */
  values: string[];
  /** True: an argument is a file. */
  takesFile: boolean;
}

/** The commands and options of a program, as completion needs them. */
export interface CompletionTree {
  nodes: CommandNode[];
  /** The options that are followed by a value, in all spellings. */
  valueOptions: string[];
  /** The values of an option that has a fixed list of them, by its spellings. */
  optionValues: { spellings: string[]; values: string[] }[];
  /** The options whose value is a file, in all spellings. */
  fileOptions: string[];
}

/** Reads the tree of a program. So the completion knows every command, also one that is added later. */
export function completionTree(program: Command): CompletionTree {
  const commands = [...walk(program, [])];
  const options = commands.flatMap(({ command }) => command.options);
  const withValue = options.filter(takesValue);
  return {
    nodes: commands.map(({ command, path }) => node(program, command, path)),
    valueOptions: unique(withValue.flatMap(spellings)),
    optionValues: withValue.flatMap((option) =>
      option.argChoices
        ? [{ spellings: spellings(option), values: [...option.argChoices] }]
        : [],
    ),
    fileOptions: unique(withValue.filter(isFileOption).flatMap(spellings)),
  };
}

function* walk(
  command: Command,
  path: string[],
): Generator<{ command: Command; path: string[] }> {
  yield { command, path };
  for (const child of visibleCommands(command))
    yield* walk(child, [...path, child.name()]);
}

function node(program: Command, command: Command, path: string[]): CommandNode {
  const help = program.createHelp();
  const options = [
    ...help.visibleOptions(command),
    ...(command === program ? [] : help.visibleOptions(program)),
  ];
  const seen = new Set<string>();
  return {
    path,
    commands: visibleCommands(command).map((child) => ({
      word: child.name(),
      description: oneLine(child.description()),
    })),
    options: options.flatMap((option) => {
      const word = option.long ?? option.short;
      if (word === undefined || seen.has(word)) return [];
      seen.add(word);
      return [{ word, description: oneLine(option.description) }];
    }),
    values: command.registeredArguments.flatMap(
      ({ argChoices }) => argChoices ?? [],
    ),
    takesFile: command.registeredArguments.some((argument) =>
      isFile(argument.name()),
    ),
  };
}

function visibleCommands(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => command.commands.includes(child));
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function isFileOption({ flags }: Option): boolean {
  return isFile(/[<[](.+)[>\]]/.exec(flags)?.[1] ?? "");
}

function isFile(name: string): boolean {
  return /^(?:file|path|table)s?$/i.test(name);
}

function spellings({ long, short }: Option): string[] {
  return [long, short].filter((spelling) => spelling != null);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function unique(words: string[]): string[] {
  return [...new Set(words)];
}
