import type { Command } from "commander";
import { examine } from "../doctor/examine.ts";
import type { CheckReport, Finding } from "../doctor/finding.ts";
import { checkSecrets } from "../doctor/secrets.ts";
import { Failure } from "../failure.ts";
import { isQuiet, printable, styled } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

/** `baton doctor`: everything that can be wrong with a server, with the remedy of each. */
export function doctorCommand(program: Command, session: Session): void {
  program
    .command("doctor")
    .description(
      "examine a server: configuration, keys, storage, addresses, clock; exit code 1 if something is wrong or could not be examined",
    )
    .option(
      "--secrets",
      "also compare with the secrets that wrangler lists (of a local server: those in .dev.vars)",
    )
    .addHelpText(
      "after",
      examples("doctor", "--env production doctor --secrets --json"),
    )
    .action(async ({ secrets = false }: { secrets?: boolean }) => {
      const connection = await session.connection();
      const checks = await examine(connection);
      if (secrets) checks.push(await checkSecrets(session, connection.url));
      const findings = checks.flatMap(({ findings }) => findings);
      const gaps = checks.filter((check) => check.is_gap === true);
      const result = {
        server: connection.url,
        healthy: findings.length === 0 && gaps.length === 0,
        findings,
        checks: checks.map(({ findings, ...check }) => ({
          ...check,
          findings: findings.length,
        })),
      };
      const told = checks.filter(
        ({ good, not_checked, is_gap }) =>
          !isQuiet() ||
          (good === undefined && (not_checked === undefined || is_gap)),
      );
      if (session.isJson || told.length > 0)
        session.print(result, () => reportText(told));
      if (findings.length > 0)
        throw new Failure(
          `${findings.length === 1 ? "One thing is" : `${findings.length} things are`} wrong with ${connection.url}.`,
        );
      if (gaps.length > 0)
        throw new Failure(
          `Nothing wrong was found with ${connection.url}, but not everything was looked at. Not examined: ${gaps.map(({ name }) => name).join("; ")}.`,
        );
    });
}

function reportText(checks: readonly CheckReport[]): string {
  return checks.flatMap(linesOf).join("\n");
}

function linesOf({ name, good, findings, not_checked }: CheckReport): string[] {
  if (good !== undefined)
    return [`${styled("green", "✓")} ${printable(`${name} ${good}`)}`];
  if (not_checked !== undefined)
    return [
      `${styled("yellow", "?")} ${printable(`${name}: not checked, because ${not_checked}`)}`,
    ];
  return findings.flatMap(findingLines);
}

function findingLines({ check, subject, problem, why, remedy }: Finding) {
  const what = subject === undefined ? problem : `${subject} ${problem}`;
  return [
    `${styled("red", "✗")} ${printable(`${check}: ${what}`)}`,
    `    ${printable(why)}`,
    `    ${printable(remedy)}`,
  ];
}
