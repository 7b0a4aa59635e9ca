/** What a browser shows: a page, or the address of another machine, to which no request is sent. */
export interface Page {
  url: string;
  status: number;
  text: string;
}

/** The names of this machine. */
const local = ["localhost", "127.0.0.1"];

/** The most redirects that a browser follows. */
const MAX_REDIRECTS = 20;

/**
 * A browser without scripts: it keeps cookies and follows redirects. It stops at the address of another
 * machine, such as the redirect URI of an app that does not run.
 */
export class Browser {
  readonly #cookies = new Map<string, string>();

  /** Opens a page, or sends a form to it. Stops also before a request to the site `stopAt`. */
  async open(
    url: string,
    { form, stopAt }: { form?: string[][]; stopAt?: string } = {},
  ): Promise<Page> {
    let next: { url: string; body?: URLSearchParams } = {
      url,
      ...(form !== undefined && { body: new URLSearchParams(form) }),
    };
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const { hostname, origin } = new URL(next.url);
      if (!local.includes(hostname) || origin === stopAt)
        return { url: next.url, status: 0, text: "" };
      const response = await fetch(next.url, {
        method: next.body === undefined ? "GET" : "POST",
        headers: { Cookie: [...this.#cookies.values()].join("; ") },
        redirect: "manual",
        ...(next.body !== undefined && { body: next.body }),
      });
      for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
      const text = await response.text();
      const location = response.headers.get("Location");
      if (location === null)
        return { url: next.url, status: response.status, text };
      next = { url: new URL(location, next.url).href };
    }
    throw new Error(`More than ${MAX_REDIRECTS} redirects from ${url}.`);
  }

  /** Opens a URL that leads to the sign-in page of the local server, and answers there. */
  async signIn(
    url: string,
    { subject = "alice", answer = "allow", stopAt = "" } = {},
  ): Promise<Page> {
    const page = await this.open(url);
    const request = requestOf(page);
    const scopes = [...page.text.matchAll(/name="scope" value="([^"]*)"/g)];
    const form = [
      ["request", request],
      ["subject", subject],
      ["answer", answer],
      ...scopes.map(([, scope = ""]) => ["scope", scope]),
    ];
    return this.open(page.url, { form, stopAt });
  }

  /**
   * Opens a URL that leads to the sign-in page of the local server, and goes back to where the login sends it.
   *
   * @param decide the login: it gets the request, and returns the URL
   */
  async signInBy(
    url: string,
    decide: (request: string) => Promise<string>,
  ): Promise<Page> {
    const page = await this.open(url);
    return this.open(await decide(requestOf(page)));
  }

  #keep(cookie: string): void {
    const [pair = ""] = cookie.split(";");
    const [name = "", value] = pair.split("=");
    if (value === "" || /;\s*max-age=0/i.test(cookie))
      this.#cookies.delete(name);
    else this.#cookies.set(name, pair);
  }
}

/** The encrypted authorization request with which the server has opened the sign-in page. */
function requestOf({ url, text }: Page): string {
  const request = new URL(url).searchParams.get("request");
  if (request === null) throw new Error(`Not the sign-in page: ${url} ${text}`);
  return request;
}
