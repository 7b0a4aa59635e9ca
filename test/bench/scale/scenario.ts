/** A part of the page that is measured, or reckoned. */
export interface Scenario {
  /** Of its command, and of its place in the page. */
  name: string;
  about: string;
  /** No server has a part in it: it comes out the same on any machine. */
  onPaper?: true;
  /**
   * Does it, and checks all that it is answered.
   *
   * @param smoke small: whether it works, not what comes out
   * @returns Markdown
   */
  run(options: { port: number; smoke: boolean }): Promise<string>;
}
