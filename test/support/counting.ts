import { env } from "cloudflare:workers";
import { vi } from "vitest";

const cryptoMethods = [
  "sign",
  "verify",
  "digest",
  "importKey",
  "deriveKey",
  "deriveBits",
  "encrypt",
  "decrypt",
  "wrapKey",
  "unwrapKey",
] as const;

/** Makes bindings that count their calls. */
export function countingBindings() {
  const calls = { family: 0, kvRead: 0, kvWrite: 0 };
  const KV = new Proxy(env.KV, {
    get(kv, name) {
      const method: unknown = Reflect.get(kv, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        if (["get", "getWithMetadata", "list"].includes(String(name)))
          calls.kvRead += 1;
        else calls.kvWrite += 1;
        return method.apply(kv, args);
      };
    },
  });
  const TOKEN_FAMILY = new Proxy(env.TOKEN_FAMILY, {
    get(namespace, name) {
      const method: unknown = Reflect.get(namespace, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        if (name === "get") calls.family += 1;
        return method.apply(namespace, args);
      };
    },
  });
  return { calls, bindings: { KV, TOKEN_FAMILY } };
}

/** Makes such bindings in which a call of a record writer or a subject index throws. */
export function bindingsWithoutObjects() {
  const { calls, bindings } = countingBindings();
  const forbidden = {
    idFromName: () => "",
    get() {
      throw new Error("an object was called");
    },
  };
  const objects = { KV_RECORD_WRITER: forbidden, SUBJECT_INDEX: forbidden };
  return { calls, bindings: { ...bindings, ...objects } };
}

/** Counts the calls of each WebCrypto method from now on. Methods that are not called are left out. */
export function countCrypto() {
  const spies = cryptoMethods.map(
    (name) => [name, vi.spyOn(crypto.subtle, name)] as const,
  );
  return () =>
    Object.fromEntries(
      spies
        .map(([name, { mock }]) => [name, mock.calls.length] as const)
        .filter(([, calls]) => calls > 0),
    );
}
