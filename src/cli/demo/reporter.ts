import { printable, say, styled } from "../output.ts";

/** Enough of a secret to recognise it: tokens of one family have the same start and different ends. */
const SHOWN_HEAD = 12;
const SHOWN_TAIL = 4;

/** The parameters whose values are shortened. */
const secretParameters = new Set([
  "client_secret",
  "access_token",
  "refresh_token",
  "code",
  "code_verifier",
  "request",
]);

/** Prints each request, response and check of the demo on standard output. */
export class Reporter {
  #steps = 0;
  #title = "";

  get steps(): number {
    return this.#steps;
  }

  /** The current step, for an error message. */
  get where(): string {
    return this.#steps === 0
      ? "Starting the server"
      : `Step ${this.#steps} (${this.#title})`;
  }

  chapter(title: string): void {
    say(`\n${styled("bold", `— ${title} —`)}`);
  }

  step(title: string): void {
    this.#steps += 1;
    this.#title = title;
    say(`\n${styled("bold", `${this.#steps}. ${title}`)}`);
  }

  sent(request: string, body: object): void {
    say(`   → ${request}${parameters(body)}`);
  }

  received(status: number, body: object): void {
    say(`   ← ${status}${parameters(body)}`);
  }

  /** @throws Error that names the claim if it is false */
  check(claim: string, isTrue: boolean): void {
    if (!isTrue) {
      say(styled("red", `   ✗ ${claim}`));
      throw new Error(`this is not true: ${claim}`);
    }
    say(styled("green", `   ✓ ${claim}`));
  }
}

function parameters(body: object): string {
  return Object.entries(body)
    .map(([name, value]) => `\n       ${name}: ${formatParameter(name, value)}`)
    .join("");
}

/** Shortens secrets even in a demo, so that it does not teach people to log tokens. */
function formatParameter(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const isSecret = secretParameters.has(name);
  return printable(
    isSecret ? `${text.slice(0, SHOWN_HEAD)}…${text.slice(-SHOWN_TAIL)}` : text,
  );
}
