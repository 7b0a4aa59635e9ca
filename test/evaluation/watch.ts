/**
 * Watches constructors that cost a start milliseconds. An error takes a stack, for which the engine reads the
 * whole script again. `Intl` loads data of a locale. `Function` compiles. This module must be imported before the
 * modules that are watched.
 */

/** What was made: the name of the constructor, and its first argument. */
export const made: string[] = [];

watch(Error, ["captureStackTrace"]);
watch(globalThis, [
  "AggregateError",
  "DOMException",
  "Error",
  "EvalError",
  "Function",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
]);
watch(
  Intl,
  Object.getOwnPropertyNames(Intl).filter((name) => /^[A-Z]/.test(name)),
);

function watch(owner: object, names: string[]): void {
  const functions = owner as Record<string, new (...of: unknown[]) => object>;
  for (const name of names) {
    const note = ([first]: unknown[]) => made.push(`${name}: ${String(first)}`);
    functions[name] = new Proxy(functions[name]!, {
      construct(target, parts, newTarget) {
        note(parts);
        return Reflect.construct(target, parts, newTarget) as object;
      },
      apply(target, self, parts) {
        note(parts);
        return Reflect.apply(target, self, parts) as unknown;
      },
    });
  }
}
