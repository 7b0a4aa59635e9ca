import { exports } from "cloudflare:workers";

/** The time that reading one document may take, in milliseconds. */
export const FETCH_MS = 5_000;

/** RFC 8259 section 11, and the more specific types of RFC 6838 section 4.2.8. */
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** The bounds of a fetch. */
export interface FetchRules {
  /** The header Accept. */
  accept: string;
  /** The largest answer, in bytes. */
  maxBytes: number;
  /** True: the header Content-Type does not matter. */
  anyType?: boolean;
  /** Tells whether a URL is at the server's own origin, which it reads in process. */
  isOwn: (url: string) => boolean;
}

/** The text of a document, and the headers that came with it. */
export interface Fetched {
  text: string;
  headers: Headers;
}

/** Why a document was not read. The problem follows "it" or "its", and quotes nothing of the document. */
export interface Unread {
  /** `unreachable`: that says nothing of the document. `invalid`: it is the answer of its site. */
  unread: "unreachable" | "invalid";
  problem: string;
}

/**
 * Fetches a JSON document whose URL a stranger may have chosen, with one limit of time for all of it. The caller has
 * checked the URL. Redirects are not followed, because they could lead anywhere.
 */
export function fetchDocument(
  url: string,
  rules: FetchRules,
): Promise<Fetched | Unread> {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<Unread>((resolve) => {
    timer = setTimeout(() => {
      resolve(unreachable(`no answer within ${FETCH_MS / 1000} seconds`));
      abort.abort();
    }, FETCH_MS);
  });
  const answer = answerOf(url, rules, abort.signal).catch(() =>
    unreachable("its host cannot be reached"),
  );
  return Promise.race([answer, silence]).finally(() => clearTimeout(timer));
}

async function answerOf(
  url: string,
  { accept, maxBytes, anyType = false, isOwn }: FetchRules,
  signal: AbortSignal,
): Promise<Fetched | Unread> {
  const request = new Request(url, {
    headers: { Accept: accept, "User-Agent": "Baton" },
    // The URL that is asked must be the URL that answers.
    redirect: "manual",
    signal,
  });
  // A Worker cannot reach its own host name from outside.
  const response = isOwn(url)
    ? await exports.default.fetch(request)
    : await fetch(request, { cache: "no-store" });
  const { status, headers } = response;
  const problem = answerProblem(status, headers, anyType);
  if (problem) {
    await response.body?.cancel();
    return problem;
  }
  const text = await textOf(response, maxBytes);
  return text === undefined
    ? invalid(`it has more than ${maxBytes / 1024} KiB`)
    : { text, headers };
}

function answerProblem(
  status: number,
  headers: Headers,
  anyType: boolean,
): Unread | undefined {
  // The site has trouble, or too many questions. Any other status is its answer.
  if (status >= 500 || status === 429)
    return unreachable(`its URL answered ${status}`);
  if (status >= 300 && status < 400)
    return invalid(`its URL answered ${status}. Redirects are not followed`);
  if (status !== 200) return invalid(`its URL answered ${status}, not 200`);
  return anyType || jsonType.test(headers.get("Content-Type") ?? "")
    ? undefined
    : invalid("its Content-Type must be application/json");
}

/** Reads a body of bounded size. Undefined: it is larger. */
async function textOf(
  response: Response,
  maxBytes: number,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function unreachable(problem: string): Unread {
  return { unread: "unreachable", problem };
}

export function invalid(problem: string): Unread {
  return { unread: "invalid", problem };
}
