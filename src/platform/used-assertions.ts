import * as base64url from "jose/base64url";
import type { Seconds } from "../oauth/duration.ts";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import type { ClientIdentity } from "../oauth/login-attributes.ts";
import type { UsedAssertions } from "../oauth/used-assertions.ts";
import type { AssertionLedger } from "./assertion-ledger.ts";
import { callObject } from "./retry.ts";

/**
 * The number of objects that the assertions of one client are spread over. A service may ask for some thousand tokens
 * per second, and one object takes some hundreds. A change lets an assertion of the last hour be used a second time.
 */
const SHARDS = 16;

const BINDING = "ASSERTION_LEDGER";

/** The binding, which a wrangler.json that was made for an older version does not have. */
interface Bindings {
  [BINDING]?: DurableObjectNamespace<AssertionLedger>;
}

/** Keeps the used assertions in Durable Objects, by their clients. */
export class BoundUsedAssertions implements UsedAssertions {
  readonly #ledgers: DurableObjectNamespace<AssertionLedger> | undefined;

  constructor(bindings: Bindings) {
    this.#ledgers = bindings[BINDING];
  }

  problems(): Problem[] {
    return this.#ledgers
      ? []
      : [
          {
            name: BINDING,
            problem:
              "is not bound, so private_key_jwt works only for codes and unused refresh tokens, and not with single_use_client_assertions; `npm run baton -- setup --update` adds it to wrangler.json",
          },
        ];
  }

  async take(
    client: ClientIdentity,
    { jti, expires_at }: { jti: string; expires_at: Seconds },
  ): Promise<void> {
    if (!this.#ledgers)
      throw new OAuthError("assertion_ledger_not_bound", {
        subject: BINDING,
        problems: this.problems(),
      });
    const digest = new Uint8Array(
      await crypto.subtle.digest("SHA-256", new TextEncoder().encode(jti)),
    );
    const id = base64url.encode(digest);
    // The same for each try of this call, so that a lost answer is not a second use.
    const attempt = crypto.randomUUID();
    const name = nameOf(client, (digest[0] ?? 0) % SHARDS);
    const { outcome } = await callObject(this.#ledgers, name, async (object) =>
      object.take(id, attempt, expires_at),
    );
    if (outcome === "used")
      throw new OAuthError("client_assertion_used", {
        client_id: client.client_id,
        unproven: "recorded_assertion",
      });
  }

  async ask(): Promise<void> {
    if (!this.#ledgers) return;
    await callObject(this.#ledgers, "baton doctor", async (object) =>
      object.count(),
    );
  }
}

/** A later client with the same id has another name. */
function nameOf(
  { client_id, client_issued_at }: ClientIdentity,
  shard: number,
): string {
  return JSON.stringify([client_id, client_issued_at, shard]);
}
