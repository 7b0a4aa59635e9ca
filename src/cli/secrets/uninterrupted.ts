import { signalExitCode } from "../local/wrangler.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Does a step to its end, also if Ctrl-C or a signal comes meanwhile, so that a secret is set or is not. Then the
 * process ends, as the signal demands. A second signal ends it at once.
 *
 * @param step the step in a sentence, such as "ENCRYPTION_KEY_2026_11_26 was set"
 */
export async function uninterrupted<T>(
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  let received: NodeJS.Signals | undefined;
  const remember = (signal: NodeJS.Signals) => {
    if (received !== undefined) process.exit(signalExitCode(signal));
    received = signal;
    process.stderr.write("\nEnding this step first …\n");
  };
  for (const signal of signals) process.on(signal, remember);
  const result = await work().finally(() => {
    for (const signal of signals) process.off(signal, remember);
  });
  if (received === undefined) return result;
  process.stderr.write(
    `Interrupted after this step had ended: ${step}. Run the command again to go on, or \`npm run baton -- keys show\` to look.\n`,
  );
  return process.exit(signalExitCode(received));
}
