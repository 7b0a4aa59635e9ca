import { DurableObject } from "cloudflare:workers";
import type { Seconds } from "../oauth/duration.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  NewFamily,
} from "../oauth/repositories.ts";
import { finalizeResources } from "../oauth/resource.ts";
import { finalizeScopes } from "../oauth/scope.ts";

/** The one value that a family keeps, under `RECORD`. Its size does not depend on its history. */
export interface FamilyRecord extends NewFamily {
  /** The version of this shape. */
  version: 1;
  /** Of the one token that is good; 1 is the first. */
  generation: number;
  last_used_at: Seconds;
}

const RECORD = "family";

/**
 * One family of refresh tokens: all the tokens that descend from one authorization.
 *
 * It is the one place where an exchange is decided. `ctx.storage.kv` is synchronous: a method without
 * an `await` between reading and writing is one atomic step, and the platform holds its answer back
 * until what it wrote is durable. Methods return results: exceptions do not survive RPC well.
 *
 * While it lives it keeps one record and one alarm; when it ends it keeps nothing, and a token whose
 * family keeps nothing is not good.
 */
export class TokenFamily extends DurableObject {
  /** Makes the family. Called once, on a new object: two rows written, the record and the alarm. */
  async create(family: NewFamily): Promise<void> {
    this.#write({
      ...family,
      version: 1,
      generation: 1,
      last_used_at: family.created_at,
    });
    await this.ctx.storage.setAlarm(family.expires_at * 1000);
  }

  /** Exchanges the family's newest token for the next one, or says why not. Writes one row or none. */
  async exchange(attempt: ExchangeAttempt): Promise<ExchangeResult> {
    const family = this.#read();
    if (!family || attempt.now >= family.expires_at)
      return refused("family_ended");
    if (
      !crypto.subtle.timingSafeEqual(attempt.secret_hash, family.secret_hash)
    ) {
      return refused("refresh_token_forged");
    }
    if (attempt.client_id !== family.client_id)
      return refused("refresh_token_of_another_client");
    if (attempt.generation > family.generation)
      return refused("refresh_token_forged");
    if (attempt.generation < family.generation) {
      await this.#end();
      return refused("refresh_token_reused");
    }
    // Only now: a used token is a used token whatever else is wrong with the request.
    const scope = finalizeScopes(
      attempt.scope,
      family.scope,
      attempt.allowed_scope,
    );
    if ("refused" in scope) return refused(scope.refused);
    const resource = finalizeResources(
      attempt.resource,
      family.resource,
      attempt.allowed_resource,
    );
    if ("refused" in resource) return refused(resource.refused);

    const successor = {
      generation: family.generation + 1,
      expires_at: Math.min(attempt.successor_expires_at, family.ends_at),
    };
    this.#write({ ...family, ...successor, last_used_at: attempt.now });
    return {
      outcome: "exchanged",
      subject: family.subject,
      ...scope,
      ...resource,
      ...successor,
      ends_at: family.ends_at,
    };
  }

  /**
   * Ends the family when its newest token has expired, else sleeps until that expires. Set once when
   * the family is made, so that a refresh does not pay for it.
   */
  override async alarm(): Promise<void> {
    const family = this.#read();
    if (!family || Date.now() >= family.expires_at * 1000) return this.#end();
    await this.ctx.storage.setAlarm(family.expires_at * 1000);
  }

  /** Deletes the record and the alarm. */
  #end(): Promise<void> {
    return this.ctx.storage.deleteAll();
  }

  #read(): FamilyRecord | undefined {
    return this.ctx.storage.kv.get<FamilyRecord>(RECORD);
  }

  #write(record: FamilyRecord): void {
    this.ctx.storage.kv.put(RECORD, record);
  }
}

function refused(
  reason: Extract<ExchangeResult, { outcome: "refused" }>["reason"],
): ExchangeResult {
  return { outcome: "refused", reason };
}
