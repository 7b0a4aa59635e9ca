/** Something went wrong that the user can do something about: the message says what and how. */
export class Failure extends Error {}

/** The command line itself is wrong; exit code 2. */
export class UsageError extends Failure {}

/** The admin API said no. */
export class ApiError extends Failure {
  /** The API's JSON, for scripts. */
  readonly body: unknown;
  /** Of HTTP. */
  readonly status: number;

  constructor(message: string, body: unknown, status: number) {
    super(message);
    this.body = body;
    this.status = status;
  }

  /** Whether the same request is refused the next time, too: only 429 of the 4xx is about the moment. */
  get isPermanent(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }
}

/**
 * A failure with more to say about it.
 *
 * @param again said only if the same may go well the next time
 */
export function saidMore(
  failure: Failure,
  more: string,
  again: string,
): Failure {
  const message = `${failure.message}\n${more}`;
  if (!(failure instanceof ApiError)) return new Failure(`${message} ${again}`);
  const { body, status, isPermanent } = failure;
  return new ApiError(
    isPermanent ? message : `${message} ${again}`,
    body,
    status,
  );
}
