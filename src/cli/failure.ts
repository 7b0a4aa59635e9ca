/** Something went wrong that the user can do something about: the message says what and how. */
export class Failure extends Error {}

/** The command line itself is wrong; exit code 2. */
export class UsageError extends Failure {}

/** The admin API said no. */
export class ApiError extends Failure {
  /** The API's JSON, for scripts. */
  readonly body: unknown;

  constructor(message: string, body: unknown) {
    super(message);
    this.body = body;
  }
}
