import { printable, say, styled } from "../output.ts";

/** Enough of a secret to recognise it: tokens of one family have the same start and different ends. */
const SHOWN_HEAD = 12;
const SHOWN_TAIL = 4;

/** The parameters whose values are shortened. */
const secretParameters = new Set([
  "client_secret",
  "access_token",
  "token",
  "refresh_token",
  "id_token",
  "id_token_hint",
  "code",
  "code_verifier",
  "request",
  "redirect_to",
  "DPoP",
]);

/** What has become of a step. */
export interface StepResult {
  title: string;
  /** What was true. */
  checks: string[];
  duration_ms: number;
}

/** Prints each request, response and check on standard output, and keeps the steps. */
export class Reporter {
  readonly steps: StepResult[] = [];
  readonly #write: (line: string) => void;
  #began = 0;

  /** @param write left out: to standard output */
  constructor(write = say) {
    this.#write = write;
  }

  /** The current step, for an error message. */
  get where(): string {
    const last = this.steps.at(-1);
    return last
      ? `Step ${this.steps.length} (${last.title})`
      : "Starting the server";
  }

  chapter(title: string): void {
    this.#write(`\n${styled("bold", `— ${title} —`)}`);
  }

  step(title: string): void {
    this.end();
    this.#began = performance.now();
    this.steps.push({ title, checks: [], duration_ms: 0 });
    this.#write(`\n${styled("bold", `${this.steps.length}. ${title}`)}`);
  }

  /** Ends the last step, so that its time is known. */
  end(): void {
    const last = this.steps.at(-1);
    if (last) last.duration_ms = Math.round(performance.now() - this.#began);
  }

  sent(request: string, body: object): void {
    this.#write(`   → ${request}${parameters(body)}`);
  }

  received(status: number, body: object): void {
    this.#write(`   ← ${status}${parameters(body)}`);
  }

  /** Prints what a token says. */
  content(title: string, body: object): void {
    this.#write(`   ${title}${parameters(body)}`);
  }

  /** @throws Error that names the claim if it is false */
  check(claim: string, isTrue: boolean): void {
    if (!isTrue) {
      this.#write(styled("red", `   ✗ ${claim}`));
      throw new Error(`this is not true: ${claim}`);
    }
    this.steps.at(-1)?.checks.push(claim);
    this.#write(styled("green", `   ✓ ${claim}`));
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
