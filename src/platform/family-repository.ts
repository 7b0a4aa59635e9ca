import type { FamilyRepository } from "../oauth/repositories.ts";
import { OAuthError } from "../oauth/errors.ts";
import { reach, RETRY_AFTER } from "./reach.ts";
import type { SubjectIndex } from "./subject-index.ts";
import type { TokenFamily } from "./token-family.ts";

/** How many families of a subject are ended at once. */
const PAGE = 100;
/**
 * How many families one request may end: a Worker may make 1,000 calls a request. Whoever has more
 * is told to come back; what was done is done.
 */
const MOST_A_REQUEST = 800;

/** Families as Durable Objects: a family's id is its object's id, and a subject's index has its name. */
export class DurableFamilies implements FamilyRepository {
  readonly #families: DurableObjectNamespace<TokenFamily>;
  readonly #indexes: DurableObjectNamespace<SubjectIndex>;

  constructor(
    families: DurableObjectNamespace<TokenFamily>,
    indexes: DurableObjectNamespace<SubjectIndex>,
  ) {
    this.#families = families;
    this.#indexes = indexes;
  }

  /*
   * First the family, then the index, then the tokens: a crash in between leaves a family that nobody
   * has a token of, and never a token that the index does not know.
   */
  create: FamilyRepository["create"] = async (family) => {
    // Not a named id: this one needs no look-up around the world and is born near the caller.
    const id = this.#families.newUniqueId();
    await reach(() => this.#families.get(id).create(family));
    await this.#index(family.subject, (index) => index.add(id.toString()));
    return fromHex(id.toString());
  };

  exchange: FamilyRepository["exchange"] = async (familyId, attempt) => {
    const id = this.#idOf(toHex(familyId));
    if (!id) return { outcome: "refused", reason: "family_ended" };
    return reach(async () => await this.#families.get(id).exchange(attempt));
  };

  revoke: FamilyRepository["revoke"] = async (familyId, key) => {
    const id = this.#idOf(toHex(familyId));
    if (!id) return { outcome: "ended_before" };
    return reach(async () => await this.#families.get(id).revoke(key));
  };

  look: FamilyRepository["look"] = async (familyId, now) => {
    const id = this.#idOf(toHex(familyId));
    return id && reach(async () => await this.#families.get(id).look(now));
  };

  /*
   * An entry whose family has ended is taken out of the index: the family has done so itself, or a
   * fault has kept it from it.
   */
  ofSubject: FamilyRepository["ofSubject"] = async (
    subject,
    now,
    limit,
    cursor,
  ) => {
    const page = await this.#index(subject, (index) =>
      index.list(limit, cursor),
    );
    const states = await Promise.all(
      page.map((grantId) => this.look(fromHex(grantId), now)),
    );
    const entries = page.map((grant_id, position) => ({
      grant_id,
      state: states[position],
    }));
    const ended = entries.flatMap(({ grant_id, state }) =>
      state ? [] : [grant_id],
    );
    if (ended.length > 0)
      await this.#index(subject, (index) => index.remove(ended));
    const grants = entries.flatMap(({ grant_id, state }) =>
      state ? [{ ...state, grant_id }] : [],
    );
    const last = page.length === limit ? page.at(-1) : undefined;
    return { grants, ...(last !== undefined && { cursor: last }) };
  };

  /*
   * From the start again and again, until the index is empty: a login that came in between is in it.
   * Each family tells the index by itself as well; doing it here lets the next look go further.
   */
  revokeAll: FamilyRepository["revokeAll"] = async (subject) => {
    let revoked = 0;
    for (let asked = 0; ; asked += PAGE) {
      const page = await this.#index(subject, (index) => index.list(PAGE));
      if (page.length === 0) return revoked;
      if (asked === MOST_A_REQUEST) break;
      const results = await Promise.all(
        page.map((grantId) => this.revoke(fromHex(grantId))),
      );
      revoked += results.filter(({ outcome }) => outcome === "revoked").length;
      await this.#index(subject, (index) => index.remove(page));
    }
    throw new OAuthError("storage_unavailable", { headers: RETRY_AFTER });
  };

  parseGrantId: FamilyRepository["parseGrantId"] = (grantId) =>
    this.#idOf(grantId) && fromHex(grantId);

  #index<T>(
    subject: string,
    call: (index: DurableObjectStub<SubjectIndex>) => Promise<T>,
  ) {
    return reach(() =>
      call(this.#indexes.get(this.#indexes.idFromName(subject))),
    );
  }

  /** A token can be genuine and still name no object: its keys may be another deployment's too. */
  #idOf(hex: string): DurableObjectId | undefined {
    try {
      return this.#families.idFromString(hex);
    } catch {
      return undefined;
    }
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
