import { METHOD_NAME_ALL, type Result, type Router } from "hono/router";

type Parameters = Record<string, string>;

/** The parameters of a path that has none. */
const none: Parameters = {};

interface Route<T> {
  method: string;
  /** The whole path, or its beginning. */
  path: string;
  isBeginning: boolean;
  /** The path of a route with parameters (`/:name`), in which each is a group of its name. */
  pattern?: RegExp;
  handler: T;
}

/**
 * Routes paths as Hono's routers do: a path is matched as a whole, or up to `/*` at its end. A parameter is one
 * segment, which is not empty. Hono's own build a matcher of all routes when the first request of an isolate
 * comes, or take `/x/` for `/x`.
 */
export class PathRouter<T> implements Router<T> {
  readonly name = "PathRouter";
  /** In the order in which they were added, which is the order in which they run. */
  readonly #routes: Route<T>[] = [];

  add(method: string, path: string, handler: T): void {
    const isBeginning = path.endsWith("/*");
    this.#routes.push({
      method,
      path: isBeginning ? path.slice(0, -1) : path,
      isBeginning,
      ...(path.includes("/:") && { pattern: patternOf(path) }),
      handler,
    });
  }

  match(method: string, path: string): Result<T> {
    const matched: [T, Parameters][] = [];
    for (const route of this.#routes) {
      if (route.method !== method && route.method !== METHOD_NAME_ALL) continue;
      const parameters = parametersOf(route, path);
      if (parameters) matched.push([route.handler, parameters]);
    }
    return [matched];
  }
}

/** Returns the parameters of a path for a route; undefined if the path does not fit. */
function parametersOf<T>(
  route: Route<T>,
  path: string,
): Parameters | undefined {
  if (route.pattern) return route.pattern.exec(path)?.groups;
  const fits = route.isBeginning
    ? path.startsWith(route.path) || `${path}/` === route.path
    : path === route.path;
  return fits ? none : undefined;
}

function patternOf(path: string): RegExp {
  const pattern = path
    .replaceAll(".", "\\.")
    .replaceAll(/\/:(\w+)/g, "/(?<$1>[^/]+)");
  return new RegExp(`^${pattern}$`);
}
