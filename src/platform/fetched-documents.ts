import type { GuessLimit } from "../oauth/guess-limit.ts";
import { Periods } from "../oauth/periods.ts";
import { freshFor } from "../oauth/self-registration/freshness.ts";
import {
  FETCH_MS,
  fetchDocument,
  type FetchRules,
  invalid,
  type Unread,
} from "./fetch-document.ts";

/** The time between two looks for the result of another request's fetch, in milliseconds. */
const LOOK_MS = 50;
/** The most documents that an isolate keeps. */
const MAX_COPIES = 300;
/**
 * The time after a fetch in which a document is not fetched again, in seconds. After a failure it is a pause and not a
 * cache of the answer, so it is short: the builder of a client mends the document and tries again.
 */
const PAUSE_SECONDS = 10;

/** A document as this isolate has read it. In milliseconds since 1970. */
export interface Copy<T> {
  content: T;
  readAt: number;
  freshUntil: number;
}

/** The rules for documents of one kind. */
interface DocumentRules<T> extends FetchRules {
  /** Reads the content. Returns a sentence that says what is wrong with it, if anything is. */
  read: (url: string, text: string) => T | string;
  /** Notes a document that could not be read. */
  note: (url: string, why: Unread) => void;
}

/**
 * Fetches documents whose URLs strangers may have chosen, one fetch at a time per URL, and keeps them in the isolate.
 * Nothing of a document that is not good leaves this file but a sentence that says what is wrong.
 */
export class FetchedDocuments<T extends object> {
  readonly #rules: DocumentRules<T>;
  readonly #guesses: GuessLimit;
  /** In the order of reading, so that the first one is the oldest. */
  readonly #copies = new Map<string, Copy<T>>();
  readonly #failures = new Periods<Unread>(PAUSE_SECONDS);
  /**
   * The fetches under way, by URL. One whose request the runtime has cancelled never ends by itself, so their number is
   * bounded.
   */
  readonly #fetches = new Periods<object>(FETCH_MS / 1000);

  constructor(rules: DocumentRules<T>, guesses: GuessLimit) {
    this.#rules = rules;
    this.#guesses = guesses;
  }

  /** Returns this isolate's copy, however old. Fetches nothing. */
  peek(url: string): Copy<T> | undefined {
    return this.#copies.get(url);
  }

  /**
   * Returns this isolate's copy if it is good, else fetches the document. While one request fetches, the others wait
   * and do not await its promise, because Workers do not let one request await a promise of another.
   *
   * @param network that of the request. It limits how many URLs are fetched in vain
   * @throws OAuthError `metadata_documents_limited`
   */
  async readUnless(
    isGood: (copy: Copy<T>) => boolean,
    url: string,
    network: string,
  ): Promise<Copy<T> | Unread> {
    for (;;) {
      const copy = this.#copies.get(url);
      if (copy && isGood(copy)) return copy;
      const failure = this.#failures.current(url);
      if (failure) return failure;
      if (!this.#fetches.current(url)) break;
      await scheduler.wait(LOOK_MS);
    }
    // Set before anything is awaited, so that no other request begins a fetch.
    this.#fetches.begin(url, {});
    const guesser = { kind: "metadata_document" as const, network };
    try {
      return await this.#guesses.limit(
        guesser,
        () => this.#fetchAndKeep(url),
        (result) => "unread" in result,
      );
    } finally {
      this.#fetches.end(url);
    }
  }

  async #fetchAndKeep(url: string): Promise<Copy<T> | Unread> {
    const result = await this.#fetch(url);
    if (!("unread" in result)) return this.#keep(url, result);
    this.#rules.note(url, result);
    this.#failures.begin(url, result);
    // The site has withdrawn the document, so the copy must not bring it back when the site is down. A copy that is fresh
    // stays so long, because a stranger may have chosen the moment of the fetch.
    const copy = this.#copies.get(url);
    if (result.unread === "invalid" && copy && !isFresh(copy))
      this.#copies.delete(url);
    return result;
  }

  #keep(url: string, copy: Copy<T>): Copy<T> {
    this.#copies.delete(url);
    this.#copies.set(url, copy);
    const [oldest] = this.#copies.keys();
    if (this.#copies.size > MAX_COPIES && oldest !== undefined)
      this.#copies.delete(oldest);
    return copy;
  }

  async #fetch(url: string): Promise<Copy<T> | Unread> {
    const readAt = Date.now();
    const fetched = await fetchDocument(url, this.#rules);
    if ("unread" in fetched) return fetched;
    const content = this.#rules.read(url, fetched.text);
    if (typeof content === "string") return invalid(content);
    const freshUntil = readAt + freshFor(fetched.headers, readAt);
    return { content, readAt, freshUntil };
  }
}

/** Tells whether a copy is fresh by the headers that came with it. */
export function isFresh({ freshUntil }: Copy<object>): boolean {
  return Date.now() < freshUntil;
}

/** Tells whether a copy was read a moment ago. */
export function isNew({ readAt }: Copy<object>): boolean {
  return Date.now() < readAt + PAUSE_SECONDS * 1000;
}
