import { env } from "cloudflare:workers";

/** What stands in for the stub of a family: the methods that a test is about. */
type Stub = Record<string, (...args: never[]) => unknown>;

/** The namespace of families, with stubs of a test's making; `real` gives the true one. */
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

/** A fault as the platform describes it. */
export function fault(
  message: string,
  says: { retryable?: true; overloaded?: true; remote?: true } = {},
): never {
  throw Object.assign(new Error(message), says);
}
