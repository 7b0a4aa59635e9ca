import { env } from "cloudflare:workers";

/** Replaces the stub of a family, with the methods that a test needs. */
type Stub = Record<string, (...args: never[]) => unknown>;

/** The namespace of families with the test's own stubs. `real` returns the real stub. */
export function familiesWith(
  stub: (
    id: DurableObjectId,
    real: () => DurableObjectStub<import("../../src/index.ts").TokenFamily>,
  ) => Stub | ReturnType<typeof env.TOKEN_FAMILY.get>,
) {
  return new Proxy(env.TOKEN_FAMILY, {
    get(namespace, name) {
      const method: unknown = Reflect.get(namespace, name);
      if (typeof method !== "function") return method;
      if (name !== "get") return method.bind(namespace);
      return (id: DurableObjectId) => stub(id, () => namespace.get(id));
    },
  });
}

/** Throws an error with the properties that the platform gives it. */
export function fault(
  message: string,
  says: { retryable?: true; overloaded?: true; remote?: true } = {},
): never {
  throw Object.assign(new Error(message), says);
}
