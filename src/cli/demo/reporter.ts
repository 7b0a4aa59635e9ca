import { styleText } from "node:util";
import { printable, say } from "../output.ts";

/** As much of a secret as one needs to recognise it: tokens of one family begin alike, and end apart. */
const SHOWN_HEAD = 12;
const SHOWN_TAIL = 4;

/** The parameters whose value nobody but the two sides should see. */
const secrets = new Set([
  "client_secret",
  "access_token",
  "refresh_token",
  "code",
  "code_verifier",
  "request",
]);

/** Tells the story on standard output: what is sent, what comes back, what is true. */
export class Narrator {
  #steps = 0;
  #title = "";

  get steps(): number {
    return this.#steps;
  }

  /** Where the story is, in words. */
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

  /** @throws Error with the claim, if it is not true */
  check(claim: string, isTrue: boolean): void {
    if (!isTrue) {
      say(styled("red", `   ✗ ${claim}`));
      throw new Error(`it is not true that ${claim}`);
    }
    say(styled("green", `   ✓ ${claim}`));
  }
}

function parameters(body: object): string {
  return Object.entries(body)
    .map(([name, value]) => `\n       ${name}: ${shortened(name, value)}`)
    .join("");
}

/** Nobody should get used to tokens in a log, not even to those of a demo. */
function shortened(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const isSecret = secrets.has(name);
  return printable(
    isSecret ? `${text.slice(0, SHOWN_HEAD)}…${text.slice(-SHOWN_TAIL)}` : text,
  );
}

/** Colour for a terminal that wants it; NO_COLOR and the like are Node's business. */
function styled(format: "bold" | "green" | "red", text: string): string {
  return styleText(format, text, { stream: process.stdout });
}
