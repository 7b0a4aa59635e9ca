import type {
  ExchangeResult,
  FamilyRepository,
} from "../oauth/repositories.ts";
import { withRetry, callObject, unavailable } from "./retry.ts";
import type { SubjectIndex } from "./subject-index.ts";
import type { TokenFamily } from "./token-family.ts";

/** How many families of a subject are ended at once. */
const PAGE = 100;
/**
 * How many families one request may end: a Worker may make 1,000 calls a request. Whoever has more
 * is told to come back; what was done is done.
 */
const MAX_A_REQUEST = 800;

/** Families as Durable Objects: a family's id is its object's id, and a subject's index has its name. */
export class DurableFamilyRepository implements FamilyRepository {
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
    const id = this.#families.newUniqueId();
    await withRetry(() => this.#families.get(id).create(family));
    await this.#index(family.login.subject, (index) =>
      index.add(id.toString()),
    );
    return Uint8Array.fromHex(id.toString());
  };

  newId: FamilyRepository["newId"] = () =>
    // Not a named id: this one needs no look-up around the world and is born near the caller.
    Uint8Array.fromHex(this.#families.newUniqueId().toString());

  /* In the order of `create`, and for its reasons. */
  redeem: FamilyRepository["redeem"] = async (familyId, family, redemption) => {
    const id = this.#idOf(familyId.toHex());
    if (!id) return { outcome: "refused", reason: "authorization_code_forged" };
    const abandon = () =>
      withRetry(() => this.#families.get(id).abandon(redemption.attempt_id));
    try {
      const result = await withRetry(
        async () => await this.#families.get(id).redeem(family, redemption),
      );
      if (result.outcome === "refused") return result;
      const isAdded = await this.#index(family.login.subject, (index) =>
        index.add(id.toString(), redemption.authorized_at_ms),
      );
      if (isAdded) return result;
    } catch (fault) {
      // A fault of ours must not use up the code. If this meets one too, it is the first that is told.
      await Promise.allSettled([abandon()]);
      throw fault;
    }
    await abandon();
    return { outcome: "refused", reason: "authorization_code_revoked" };
  };

  exchange: FamilyRepository["exchange"] = async (familyId, attempt) => {
    const id = this.#idOf(familyId.toHex());
    if (!id) return { outcome: "refused", reason: "family_ended" };
    const result = await withRetry(
      async () => await this.#families.get(id).exchange(attempt),
    );
    return JSON.parse(result) as ExchangeResult;
  };

  revoke: FamilyRepository["revoke"] = async (familyId, key) => {
    const id = this.#idOf(familyId.toHex());
    if (!id) return { outcome: "ended_before" };
    return withRetry(async () => await this.#families.get(id).revoke(key));
  };

  look: FamilyRepository["look"] = async (familyId) => {
    const id = this.#idOf(familyId.toHex());
    return id && withRetry(async () => await this.#families.get(id).look());
  };

  /*
   * An entry whose family has ended is taken out of the index: the family has done so itself, or a
   * fault has kept it from it. One that has only expired stays for its alarm: a refresh that is on its
   * way, by a clock that is slower, may still go on with it.
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
      page.map((grantId) => this.look(Uint8Array.fromHex(grantId))),
    );
    const ended = page.filter((_, position) => !states[position]);
    if (ended.length > 0)
      await this.#index(subject, (index) => index.remove(ended));
    const grants = page.flatMap((grant_id, position) => {
      const state = states[position];
      return state && now < state.expires_at ? [{ ...state, grant_id }] : [];
    });
    const last = page.length === limit ? page.at(-1) : undefined;
    return { grants, ...(last !== undefined && { cursor: last }) };
  };

  /*
   * First the index takes no login any more that was authorized before. Where it can't do that, all that
   * it lists is ended nevertheless; the caller is told to come back.
   */
  revokeAll: FamilyRepository["revokeAll"] = async (subject) => {
    const now = Date.now();
    const [barrier] = await Promise.allSettled([
      this.#index(subject, (index) => index.logOut(now)),
    ]);
    const revoked = await this.#revokeListed(subject);
    if (barrier.status === "rejected") throw unavailable(barrier.reason);
    return revoked;
  };

  /**
   * Until the index holds nothing but families that can't be reached: a login that came in between is
   * in it, and one family's trouble keeps no other from ending. Each family tells the index by itself
   * as well; doing it here lets the next call begin with what is left.
   */
  async #revokeListed(subject: string): Promise<number> {
    let revoked = 0;
    let unreached: string | undefined;
    for (let asked = 0; asked < MAX_A_REQUEST; asked += PAGE) {
      const page = await this.#index(subject, (index) =>
        index.list(PAGE, unreached),
      );
      if (page.length === 0 && unreached === undefined) return revoked;
      if (page.length === 0) break;
      const results = await Promise.allSettled(
        page.map((grantId) => this.revoke(Uint8Array.fromHex(grantId))),
      );
      const done = page.filter(
        (_, position) => results[position]?.status === "fulfilled",
      );
      await this.#index(subject, (index) => index.remove(done));
      for (const result of results) {
        if (result.status === "fulfilled" && result.value.outcome === "revoked")
          revoked += 1;
      }
      // Goes on behind the last one that could not be reached.
      unreached =
        page.findLast((grantId) => !done.includes(grantId)) ?? unreached;
    }
    const [left] = await this.#index(subject, (index) => index.list(1));
    if (left === undefined) return revoked;
    throw unavailable(
      new Error("some families of the subject could not be ended yet"),
    );
  }

  parseGrantId: FamilyRepository["parseGrantId"] = (grantId) =>
    this.#idOf(grantId) && Uint8Array.fromHex(grantId);

  #index<T>(
    subject: string,
    call: (index: DurableObjectStub<SubjectIndex>) => Promise<T>,
  ) {
    return callObject(this.#indexes, subject, call);
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
