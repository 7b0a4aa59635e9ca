import { Argument, type Command } from "commander";
import { scripts, type Shell, shells } from "../completion/scripts.ts";
import { completionTree } from "../completion/tree.ts";
import { say } from "../output.ts";

/** `baton completion`: a script that a shell loads, so that Tab completes the commands and options. */
export function completionCommand(program: Command): void {
  program
    .command("completion")
    .description(
      "print a script that completes the command `baton` in your shell",
    )
    .addArgument(new Argument("<shell>", "your shell").choices(shells))
    .addHelpText(
      "after",
      `
The script completes the command "baton", which \`npm link\` installs. To load it whenever a shell starts:
  bash  echo 'source <(baton completion bash)' >> ~/.bashrc
  zsh   echo 'source <(baton completion zsh)' >> ~/.zshrc
  fish  baton completion fish > ~/.config/fish/completions/baton.fish`,
    )
    .action((shell: Shell) => {
      say(scripts[shell]("baton", completionTree(program)));
    });
}
