import { playDemo } from "./demo/refresh.ts";
import { Failure } from "./failure.ts";
import { LocalServer } from "./local/local-server.ts";
import { Reporter } from "./demo/reporter.ts";
import { say } from "./output.ts";
import { newProgram, run } from "./program.ts";
import { onShutdown, signalExitCode } from "./local/wrangler.ts";

const program = newProgram("demo")
  .description(
    "Shows the life of a refresh token with real requests, and checks every response.\nThe demo starts a server of its own, with temporary keys and state.",
  )
  .action(runDemo);

async function runDemo(): Promise<void> {
  const server = await LocalServer.launch();
  // An interrupted demo must not leave its server running.
  onShutdown((signal) => {
    void server.stop().finally(() => process.exit(signalExitCode(signal)));
  });
  const reporter = new Reporter();
  try {
    say("Starting a server with temporary keys and state …");
    await server.ready();
    say(`The server is running at ${server.url}.`);
    const { url, secrets } = server;
    const token = secrets.ADMIN_TOKEN;
    await playDemo({ url, urlSource: "the demo", token }, reporter);
    say(`\nAll ${reporter.steps.length} steps passed.`);
  } catch (error) {
    throw new Failure(
      [
        "",
        `${reporter.where} failed: ${error instanceof Error ? error.message : String(error)}`,
        "",
        "Output of the server:",
        server.output,
      ].join("\n"),
      { cause: error },
    );
  } finally {
    await server.stop();
  }
}

await run(program);
