import type { Candidate, CommandNode, CompletionTree } from "./tree.ts";

/*
 * Each script has the whole tree in it. A script that asked the program instead would start Node whenever the user
 * presses Tab.
 *
 * All three work alike: they read the words before the cursor, leave out options and their values, and keep the words
 * that lead to a command. Then they offer what that command has.
 */

export const shells = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof shells)[number];

export const scripts: Record<
  Shell,
  (name: string, tree: CompletionTree) => string
> = { bash, zsh, fish };

function bash(name: string, tree: CompletionTree): string {
  const cases = tree.nodes.map(
    (node) =>
      `    ${pattern(node)}) words=${quoted(wordsOf(node).join(" "))} options=${quoted(namesOf(node.options).join(" "))} files=${Number(node.takesFile)} ;;`,
  );
  return `# Completion of ${name} for bash. To load it: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local words= options= files=0 IFS=$' \\t\\n'
  COMPREPLY=()
${valueCases(tree, (values) => `words=${quoted(values.join(" "))}`, "files=1")}
  if [[ -z $words && $files = 0 ]]; then
    case "$previous" in ${alternatives(tree.valueOptions)}) return ;; esac
${walkWords(tree, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}
    case "$route" in
${cases.join("\n")}
    esac
    if [[ $current = -* || ( -z $words && $files = 0 ) ]]; then words=$options; fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ $files = 1 ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current")
  fi
}
complete -F _${name} ${name}`;
}

function zsh(name: string, tree: CompletionTree): string {
  const cases = tree.nodes.map((node) => {
    const described = (candidates: Candidate[]) =>
      candidates.map((candidate) => quoted(zshItem(candidate)));
    const items = [...described(node.commands), ...node.values.map(quoted)];
    return `    ${pattern(node)}) items=(${items.join(" ")}) options=(${described(node.options).join(" ")}) files=${Number(node.takesFile)} ;;`;
  });
  return `#compdef ${name}
# Completion of ${name} for zsh. To load it: source <(${name} completion zsh)
_${name}() {
  local current=\${words[CURRENT]} previous=\${words[CURRENT-1]}
  local files=0
  local -a items options
${valueCases(tree, (values) => `items=(${values.map(quoted).join(" ")})`, "files=1")}
  if [[ \${#items} = 0 && $files = 0 ]]; then
    case "$previous" in ${alternatives(tree.valueOptions)}) return ;; esac
${walkWords(tree, '"${(@)words[2,CURRENT-1]}"')}
    case "$route" in
${cases.join("\n")}
    esac
    if [[ $current = -* || ( \${#items} = 0 && $files = 0 ) ]]; then items=("\${options[@]}"); fi
  fi
  (( \${#items} )) && _describe ${quoted(name)} items
  (( files )) && _files
}
(( $+functions[compdef] )) && compdef _${name} ${name}`;
}

function fish(name: string, tree: CompletionTree): string {
  const lines = tree.nodes.flatMap((node) => {
    const at = quoted(`__${name}_at ${node.path.join(" ")}`);
    const add = (rest: string, description: string) =>
      `complete -c ${name} -n ${at} ${rest} -d ${quoted(description)}`;
    return [
      ...node.commands.map(({ word, description }) =>
        add(`-a ${quoted(word)}`, description),
      ),
      ...node.options.map(({ word, description }) =>
        add(fishOption(word, tree), description),
      ),
      ...node.values.map((value) => add(`-a ${quoted(value)}`, "")),
      ...(node.takesFile ? [add("-F", "")] : []),
    ];
  });
  return `# Completion of ${name} for fish. To load it: ${name} completion fish | source
function __${name}_at
  set -l words (commandline -opc)
  set -l route
  set -l skip 0
  for word in $words[2..-1]
    if test $skip = 1
      set skip 0
    else if contains -- $word ${tree.valueOptions.join(" ")}
      set skip 1
    else if contains -- (string join ' ' -- $route $word) ${paths(tree).map(quoted).join(" ")}
      set route $route $word
    end
  end
  set -l joined (string join ' ' -- $route)
  test "$joined" = "$argv"
end
complete -c ${name} -f
${lines.join("\n")}`;
}

/** An option for fish, which knows by itself that a value follows. */
function fishOption(word: string, tree: CompletionTree): string {
  const values = tree.optionValues.find(({ spellings }) =>
    spellings.includes(word),
  )?.values;
  const option = `-l ${word.replace(/^-+/, "")}`;
  if (values) return `${option} -xa ${quoted(values.join(" "))}`;
  if (tree.fileOptions.includes(word)) return `${option} -rF`;
  return tree.valueOptions.includes(word) ? `${option} -x` : option;
}

/** A loop in bash and zsh that puts the words that lead to a command into `$route`. */
function walkWords(tree: CompletionTree, words: string): string {
  const known = paths(tree).map((path) => `" ${path}"`);
  return `    local route= word skip=
    for word in ${words}; do
      if [[ -n $skip ]]; then skip=; continue; fi
      case "$word" in
        ${alternatives(tree.valueOptions)}) skip=1 ;;
        -*) ;;
        *) case "$route $word" in ${known.join("|")}) route="$route $word" ;; esac ;;
      esac
    done`;
}

/** The cases in bash and zsh of an option that has its values in a list, or whose value is a file. */
function valueCases(
  { optionValues, fileOptions }: CompletionTree,
  offer: (values: string[]) => string,
  offerFiles: string,
): string {
  const cases = [
    ...optionValues.map(
      ({ spellings, values }) =>
        `    ${alternatives(spellings)}) ${offer(values)} ;;`,
    ),
    ...(fileOptions.length > 0
      ? [`    ${alternatives(fileOptions)}) ${offerFiles} ;;`]
      : []),
  ];
  return cases.length === 0
    ? ""
    : ['  case "$previous" in', ...cases, "  esac"].join("\n");
}

/** What comes next after a command: another command, or the value of an argument. */
function wordsOf({ commands, values }: CommandNode): string[] {
  return [...namesOf(commands), ...values];
}

function namesOf(candidates: Candidate[]): string[] {
  return candidates.map(({ word }) => word);
}

function paths({ nodes }: CompletionTree): string[] {
  return nodes
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => path.join(" "));
}

/** A case pattern for a path, as `walkWords` writes it. */
function pattern({ path }: CommandNode): string {
  return `"${path.map((word) => ` ${word}`).join("")}"`;
}

function alternatives(words: string[]): string {
  return words.join("|");
}

function zshItem({ word, description }: Candidate): string {
  return `${word}:${description.replaceAll(":", "\\:")}`;
}

/** In single quotes, a shell reads every character as it stands. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
