import { DurableObject } from "cloudflare:workers";

/** The families of one subject, each a key of the object's storage. */
const PREFIX = "family:";

/**
 * Which families a subject has: one object a subject, found by its name. It is touched when a family
 * is made or ends, and to list them or to end them all; never by a refresh.
 *
 * It may name a family that has ended, for a moment or after a fault, and never lacks one whose
 * tokens were given out: whoever reads it asks the families themselves.
 */
export class SubjectIndex extends DurableObject<Env> {
  /** Adding a family that is there already changes nothing. */
  async add(familyId: string): Promise<void> {
    this.ctx.storage.kv.put(PREFIX + familyId, true);
  }

  /** Removing families that are not there changes nothing. With the last one everything is gone. */
  async remove(familyIds: string[]): Promise<void> {
    for (const familyId of familyIds)
      this.ctx.storage.kv.delete(PREFIX + familyId);
    const [left] = this.ctx.storage.kv.list({ prefix: PREFIX, limit: 1 });
    if (!left) await this.ctx.storage.deleteAll();
  }

  /** Some families, in an order that does not change; `after` is the last one of the page before. */
  async list(limit: number, after?: string): Promise<string[]> {
    const page = this.ctx.storage.kv.list({
      prefix: PREFIX,
      limit,
      ...(after !== undefined && { startAfter: PREFIX + after }),
    });
    return [...page].map(([key]) => key.slice(PREFIX.length));
  }
}
