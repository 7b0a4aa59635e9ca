import { METHOD_NAME_ALL, type Result, type Router } from "hono/router";

/** The parameters of a path that has none. */
const none = {};

interface Route<T> {
  method: string;
  /** The whole path, or its beginning. */
  path: string;
  isBeginning: boolean;
  handler: T;
}

/**
 * Routes paths without parameters, as Hono's routers do: a path is matched as a whole, or up to `/*` at its end.
 * Hono's own build a matcher of all routes when the first request of an isolate comes, or take `/x/` for `/x`.
 */
export class StaticRouter<T> implements Router<T> {
  readonly name = "StaticRouter";
  /** In the order in which they were added, which is the order in which they run. */
  readonly #routes: Route<T>[] = [];

  add(method: string, path: string, handler: T): void {
    const isBeginning = path.endsWith("/*");
    this.#routes.push({
      method,
      path: isBeginning ? path.slice(0, -1) : path,
      isBeginning,
      handler,
    });
  }

  match(method: string, path: string): Result<T> {
    const matched: [T, typeof none][] = [];
    for (const route of this.#routes) {
      if (route.method !== method && route.method !== METHOD_NAME_ALL) continue;
      const fits = route.isBeginning
        ? path.startsWith(route.path) || `${path}/` === route.path
        : path === route.path;
      if (fits) matched.push([route.handler, none]);
    }
    return [matched];
  }
}
