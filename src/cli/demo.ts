import { playStory } from "./demo/refresh.ts";
import { Failure } from "./failure.ts";
import { LocalServer } from "./local/local-server.ts";
import { Narrator } from "./demo/reporter.ts";
import { say } from "./output.ts";
import { newProgram, run } from "./program.ts";
import { onEnd, signalExitCode } from "./local/wrangler.ts";

const program = newProgram("demo")
  .description(
    "Plays the story of a refresh token with real requests, and checks every answer.\nThe server is one of its own, with throw-away keys and state.",
  )
  .action(play);

async function play(): Promise<void> {
  const server = await LocalServer.launch();
  // An interrupted demo takes its server with it.
  onEnd((signal) => {
    void server.stop().finally(() => process.exit(signalExitCode(signal)));
  });
  const narrator = new Narrator();
  try {
    say("Starting a server with throw-away keys and state …");
    await server.ready();
    say(`It serves at ${server.url}.`);
    await playStory(server.url, server.secrets.ADMIN_TOKEN, narrator);
    say(`\n${narrator.steps} steps, all true.`);
  } catch (error) {
    throw new Failure(
      [
        "",
        `${narrator.where} failed: ${error instanceof Error ? error.message : String(error)}`,
        "",
        "What the server wrote:",
        server.output,
      ].join("\n"),
      { cause: error },
    );
  } finally {
    await server.stop();
  }
}

await run(program);
