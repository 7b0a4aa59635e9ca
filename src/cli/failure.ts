/** An error that the user can correct. Its message says what happened, why, and what to do. */
export class Failure extends Error {}

/** The command line is wrong; exit code 2. */
export class UsageError extends Failure {}

/** The admin API refused the request. */
export class ApiError extends Failure {
  /** The JSON body of the response, for scripts. */
  readonly body: unknown;
  /** The HTTP status code. */
  readonly status: number;

  constructor(message: string, body: unknown, status: number) {
    super(message);
    this.body = body;
    this.status = status;
  }

  /** True if the same request would be refused again: every 4xx but 429 Too Many Requests. */
  get isPermanent(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }
}

/**
 * Adds details to the message of a failure.
 *
 * @param retryHint is added only if the same request may succeed the next time
 */
export function addDetails(
  failure: Failure,
  details: string,
  retryHint: string,
): Failure {
  const message = `${failure.message}\n${details}`;
  if (!(failure instanceof ApiError))
    return new Failure(`${message} ${retryHint}`);
  const { body, status, isPermanent } = failure;
  return new ApiError(
    isPermanent ? message : `${message} ${retryHint}`,
    body,
    status,
  );
}
