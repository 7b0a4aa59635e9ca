import type { FamilyRepository } from "../oauth/repositories.ts";
import { reach } from "./reach.ts";
import type { TokenFamily } from "./token-family.ts";

/** Families as Durable Objects: a family's id is its object's id. */
export function durableFamilies(
  namespace: DurableObjectNamespace<TokenFamily>,
): FamilyRepository {
  return {
    async create(family) {
      // Not a named id: this one needs no look-up around the world and is born near the caller.
      const id = namespace.newUniqueId();
      await reach(() => namespace.get(id).create(family));
      return fromHex(id.toString());
    },

    async exchange(familyId, attempt) {
      const id = objectId(namespace, familyId);
      if (!id) return { outcome: "refused", reason: "family_ended" };
      return reach(async () => await namespace.get(id).exchange(attempt));
    },
  };
}

/** The id of an object of this namespace. A token can be genuine and still name none: its keys may
 * have been used by another deployment. */
function objectId(
  namespace: DurableObjectNamespace<TokenFamily>,
  familyId: Uint8Array,
) {
  try {
    return namespace.idFromString(toHex(familyId));
  } catch {
    return undefined;
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}
