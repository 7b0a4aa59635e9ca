/** Acts as a browser that visits the example login: it keeps the cookie, and sends forms as they stand on a page. */

/** The parts of a response that a browser needs. */
export interface VisitedPage {
  status: number;
  headers: Headers;
  html: string;
  /** The heading of the page. */
  title: string | undefined;
  /** The `Location` of a redirect. */
  location: URL | undefined;
  /** The forms by the path that they are sent to, with their values as they stand. */
  forms: Map<string, URLSearchParams>;
}

type Values = Record<string, string | string[]>;

export class Visitor {
  /** The name and the value of the cookie, as the browser sends them. */
  cookie = "";
  readonly #origin: string;
  readonly #fetch: (request: Request) => Response | Promise<Response>;

  /** @param fetch must not follow redirects by itself */
  constructor(
    origin: string,
    fetch: (request: Request) => Response | Promise<Response>,
  ) {
    this.#origin = origin;
    this.#fetch = fetch;
  }

  open(path: string): Promise<VisitedPage> {
    return this.#send(path, {});
  }

  /** Opens the page for an authorization request, and follows the redirects within the login. */
  async begin(request: string): Promise<VisitedPage> {
    const query = new URLSearchParams({ request });
    return this.#follow(await this.open(`/?${query.toString()}`));
  }

  /** Sends a form of a page, changed by `more`, and follows the redirects within the login. */
  async send(
    page: VisitedPage,
    path: string,
    more: Values = {},
  ): Promise<VisitedPage> {
    return this.#follow(await this.post(path, filled(page, path, more)));
  }

  post(path: string, body: URLSearchParams): Promise<VisitedPage> {
    return this.#send(path, { method: "POST", body });
  }

  /** Signs in on a page with the form for it. */
  signIn(
    page: VisitedPage,
    username = "alice",
    password = "rabbit-hole",
  ): Promise<VisitedPage> {
    const answer = "sign-in";
    return this.send(page, "/sign-in", { username, password, answer });
  }

  async #follow(page: VisitedPage): Promise<VisitedPage> {
    const { location } = page;
    return location?.origin === this.#origin
      ? this.#follow(await this.open(location.pathname + location.search))
      : page;
  }

  async #send(path: string, init: RequestInit): Promise<VisitedPage> {
    const url = new URL(path, this.#origin);
    const request = new Request(url, { ...init, redirect: "manual" });
    if (this.cookie !== "") request.headers.set("Cookie", this.cookie);
    const response = await this.#fetch(request);
    const { status, headers } = response;
    for (const cookie of headers.getSetCookie())
      [this.cookie = ""] = cookie.split(";");
    const html = await response.text();
    const [, title] = /<h1>(.*?)<\/h1>/.exec(html) ?? [];
    const to = headers.get("Location");
    const location = to === null ? undefined : new URL(to, url);
    return { status, headers, html, title, location, forms: formsOf(html) };
  }
}

/** Returns a form of a page as it stands, changed by `more`. */
export function filled(
  { forms, title }: VisitedPage,
  path: string,
  more: Values = {},
): URLSearchParams {
  const asItStands = forms.get(path);
  if (!asItStands) throw new Error(`"${title}" has no form for ${path}`);
  const form = new URLSearchParams(asItStands);
  for (const [name, values] of Object.entries(more)) {
    form.delete(name);
    for (const value of [values].flat()) form.append(name, value);
  }
  return form;
}

function formsOf(html: string): VisitedPage["forms"] {
  const forms: VisitedPage["forms"] = new Map();
  for (const [, action = "", content = ""] of html.matchAll(
    /<form [^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs,
  ))
    forms.set(action, valuesOf(content));
  return forms;
}

/** The values of a form that a browser would send unchanged. */
function valuesOf(content: string): URLSearchParams {
  const values = new URLSearchParams();
  for (const [input] of content.matchAll(/<input [^>]*>/g)) {
    const attribute = (name: string) =>
      new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1] ?? "";
    const isTicked =
      attribute("type") !== "checkbox" || input.includes(' checked=""');
    if (!isTicked || input.includes(' disabled=""')) continue;
    const value = attribute("value").replaceAll("&quot;", '"');
    values.append(attribute("name"), value);
  }
  return values;
}
