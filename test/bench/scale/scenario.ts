/** A part of the page that is measured or calculated. */
export interface Scenario {
  /** The name of its command and of its place in the page. */
  name: string;
  about: string;
  /** Set if no server takes part, so that the results are the same on any machine. */
  withoutServer?: true;
  /**
   * Runs the scenario and checks all answers.
   *
   * @param smoke small, to check that the scenario works; the results mean nothing
   * @returns Markdown
   */
  run(options: { port: number; smoke: boolean }): Promise<string>;
}
