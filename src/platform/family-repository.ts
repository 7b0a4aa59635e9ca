import { asOAuthError, OAuthError } from "../oauth/errors.ts";
import type {
  ExchangeResult,
  FamilyRepository,
} from "../oauth/repositories.ts";
import {
  ABANDON_WAIT_MS,
  callObject,
  unavailable,
  withRetry,
} from "./retry.ts";
import type { SubjectIndex } from "./subject-index.ts";
import type { TokenFamily } from "./token-family.ts";

/** The number of families of a subject that are ended at the same time. */
const BATCH_SIZE = 100;
/**
 * The most families that one request ends, because a Worker may make 1,000 calls per request. If the subject
 * has more, the answer is 503, and the next request goes on with the rest.
 */
const MAX_PER_REQUEST = 800;

/**
 * Keeps families in Durable Objects. A family's id is the id of its object. A subject index is named by its
 * subject.
 */
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
   * The order is family, index, tokens: a crash in between leaves a family that nobody has a token of, and
   * never a token that a logout would miss.
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
    // A unique id, unlike a named one, needs no look-up around the world, and its object is created near the
    // caller.
    Uint8Array.fromHex(this.#families.newUniqueId().toString());

  /* The order is that of `create`, for the same reason. */
  redeem: FamilyRepository["redeem"] = async (familyId, family, redemption) => {
    const id = this.#objectId(familyId.toHex());
    if (!id) return { outcome: "refused", reason: "authorization_code_forged" };
    const abandon = () =>
      withRetry(
        () => this.#families.get(id).abandon(family, redemption),
        ABANDON_WAIT_MS,
      );
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
      // A fault of ours must not use up the code. If `abandon` fails as well, the first fault is thrown.
      await Promise.allSettled([abandon()]);
      throw fault;
    }
    await abandon();
    return { outcome: "refused", reason: "authorization_code_revoked" };
  };

  exchange: FamilyRepository["exchange"] = async (familyId, attempt) => {
    const id = this.#objectId(familyId.toHex());
    if (!id) return { outcome: "refused", reason: "family_ended" };
    const result = await withRetry(
      async () => await this.#families.get(id).exchange(attempt),
    );
    return JSON.parse(result) as ExchangeResult;
  };

  revoke: FamilyRepository["revoke"] = async (familyId, key) => {
    const id = this.#objectId(familyId.toHex());
    if (!id) return { outcome: "ended_before" };
    return withRetry(async () => await this.#families.get(id).revoke(key));
  };

  changeClaims: FamilyRepository["changeClaims"] = async (
    familyId,
    changes,
    now,
  ) => {
    const id = this.#objectId(familyId.toHex());
    if (!id) return { outcome: "ended" };
    return withRetry(
      async () => await this.#families.get(id).changeClaims(changes, now),
    );
  };

  look: FamilyRepository["look"] = async (familyId) => {
    const id = this.#objectId(familyId.toHex());
    return id && withRetry(async () => await this.#families.get(id).look());
  };

  /*
   * An entry whose family has ended is removed from the index, because a fault may have kept the family from
   * doing so. An expired family stays until its alarm, because a refresh with a slower clock may still
   * exchange its token.
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
   * First the index is told to refuse every login that was authorized before now. If that fails, the families
   * that it lists are ended nevertheless, and the answer is 503.
   */
  revokeAll: FamilyRepository["revokeAll"] = async (subject) => {
    const now = Date.now();
    const [logout] = await Promise.allSettled([
      this.#index(subject, (index) => index.logOut(now)),
    ]);
    const ended = { revoked: 0 };
    try {
      await this.#revokeListed(subject, ended);
      if (logout.status === "rejected") throw unavailable(logout.reason);
      return ended.revoked;
    } catch (error) {
      // The caller repeats the call, and sums what each has ended.
      const { reason, details } = asOAuthError(error);
      throw new OAuthError(reason, { ...details, ...ended });
    }
  };

  /* A login that begins meanwhile is of a session that began again, or in a later page. */
  revokeSession: FamilyRepository["revokeSession"] = async (
    subject,
    sid,
    note,
    except,
  ) => {
    let fault: unknown;
    let last: string | undefined;
    const exceptId = except?.toHex();
    // A family of another session stays in the index, so a repeated call would come no further than this one.
    for (let count = 0; count < MAX_PER_REQUEST; count += BATCH_SIZE) {
      const page = await this.#index(subject, (index) =>
        index.list(BATCH_SIZE, last),
      );
      const others = page.filter((grantId) => grantId !== exceptId);
      const results = await Promise.allSettled(
        others.map((grantId) => {
          const id = this.#families.idFromString(grantId);
          return withRetry(
            async () => await this.#families.get(id).revokeSession(sid),
          );
        }),
      );
      for (const [position, result] of results.entries()) {
        if (result.status === "rejected") fault = result.reason;
        else if (result.value.outcome === "revoked") note(others[position]!);
      }
      last = page.at(-1);
      if (page.length < BATCH_SIZE) {
        if (fault !== undefined) throw fault;
        return;
      }
    }
    throw new OAuthError("logout_session_incomplete");
  };

  /**
   * Ends the listed families, page by page, until the index has only families that cannot be reached. A login
   * that begins meanwhile is in a later page. A family that cannot be reached does not stop the others. Each
   * family also removes itself from the index by its alarm; it is removed here so that a repeated call goes
   * on with the rest.
   *
   * @param ended counts the families that it has ended
   * @throws OAuthError `storage_unavailable` or `logout_incomplete` if some families are left
   */
  async #revokeListed(
    subject: string,
    ended: { revoked: number },
  ): Promise<void> {
    let lastUnreached: string | undefined;
    for (let count = 0; count < MAX_PER_REQUEST; count += BATCH_SIZE) {
      const page = await this.#index(subject, (index) =>
        index.list(BATCH_SIZE, lastUnreached),
      );
      if (page.length === 0 && lastUnreached === undefined) return;
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
          ended.revoked += 1;
      }
      // The next page begins after the last family that could not be reached.
      lastUnreached =
        page.findLast((grantId) => !done.includes(grantId)) ?? lastUnreached;
    }
    const [left] = await this.#index(subject, (index) => index.list(1));
    if (left === undefined) return;
    if (lastUnreached === undefined)
      throw new OAuthError("logout_incomplete", {
        headers: { "Retry-After": "0" },
      });
    throw unavailable(
      new Error("some families of the subject could not be reached"),
    );
  }

  parseGrantId: FamilyRepository["parseGrantId"] = (grantId) =>
    this.#objectId(grantId) && Uint8Array.fromHex(grantId);

  grantIdOf: FamilyRepository["grantIdOf"] = (familyId) => familyId.toHex();

  #index<T>(
    subject: string,
    call: (index: DurableObjectStub<SubjectIndex>) => Promise<T>,
  ) {
    return callObject(this.#indexes, subject, call);
  }

  /**
   * Parses the id of an object; undefined if it is not one of this namespace. A genuine token may have such
   * an id, because two deployments may share their keys.
   */
  #objectId(hex: string): DurableObjectId | undefined {
    try {
      return this.#families.idFromString(hex);
    } catch {
      return undefined;
    }
  }
}
