import type { Seconds } from "../duration.ts";
import type { RefreshHook } from "../refresh-hook.ts";
import type { FamilyRepository } from "../repositories.ts";
import type { Server } from "../server.ts";
import { signJwt, verifyJwt } from "../signed-jwt.ts";
import { FAMILY_SECRET_BYTES } from "../refresh-token-layout.ts";
import { hashFamilySecret } from "./refresh-token.ts";

/** The life of a canary family: if it can't be ended, its alarm removes it after that time. */
const CANARY_SECONDS = 60;

/** Nobody can register a client with a tab in its id, so no real login has this one. */
const CLIENT = { client_id: "baton\tdoctor", client_issued_at: 0 };

/** A grant id is the id of a Durable Object, in hexadecimal. */
const GRANT_ID_CHARACTERS = 64;

/** No scope and no resource. */
const NOTHING = { scope: [], resource: [] };

/**
 * Plays the life of a family: it begins, its token is exchanged, its user's list has it, and it is ended. No token is
 * made, so that nobody can use it. Nothing of it stays.
 *
 * @throws Error that says which step failed
 */
export async function playCanaryFamily(
  { families, tokenKeySchedule }: Server,
  now: Seconds,
): Promise<void> {
  const secret_hash = await hashFamilySecret(
    crypto.getRandomValues(new Uint8Array(FAMILY_SECRET_BYTES)),
  );
  const subject = `baton doctor ${crypto.randomUUID()}`;
  const expires_at = now + CANARY_SECONDS;
  const key_id = tokenKeySchedule.makingAt(now).maker.id;
  const familyId = await families.create({
    login: { ...CLIENT, ...NOTHING, subject },
    secret_hash,
    created_at: now,
    expires_at,
    ends_at: expires_at,
    key_id,
  });
  try {
    const { outcome } = await families.exchange(familyId, {
      ...CLIENT,
      attempt_id: crypto.randomUUID(),
      generation: 1,
      secret_hash,
      requested: NOTHING,
      allowed: NOTHING,
      resource_digests: {},
      now,
      successor_expires_at: expires_at,
      key_id,
      origin: { network: 0, user_agent: 0 },
      retry_window: "PT0S",
      refresh_token_max_age: `PT${CANARY_SECONDS}S`,
    });
    expect("the exchange of a family's token", outcome === "exchanged");
    const { grants } = await families.ofSubject(subject, now, 2);
    expect("the list of a user's families", grants.length === 1);
  } finally {
    await end(families, familyId);
  }
}

async function end(
  families: FamilyRepository,
  familyId: Uint8Array,
): Promise<void> {
  const { outcome } = await families.revoke(familyId);
  expect("the end of a family", outcome === "revoked");
  const left = await families.look(familyId);
  expect("the end of a family", left === undefined);
}

/**
 * Signs with the key that signs now, and verifies with the published key of the same `kid`.
 *
 * @throws Error if the two are not a pair
 */
export async function playCanarySignature(
  { signingKeys, verificationKeys, jwks }: Server,
  now: Seconds,
): Promise<void> {
  const { maker, kid } = signingKeys.makingAt(now);
  const jwt = await signJwt(maker, "request", JSON.stringify({ canary: true }));
  const claims = await verifyJwt(verificationKeys, "request", jwt);
  expect("the signature of the current key", claims !== undefined);
  const isPublished = jwks.keys.some((key) => key["kid"] === kid);
  expect("the publication of the current key", isPublished);
}

function expect(what: string, isTrue: boolean): void {
  if (!isTrue) throw new Error(`${what} did not work`);
}

/**
 * The refresh hook has made no decision, or something that was tried is not there. The message is a sentence, or the name
 * of an exception.
 */
export class NoDecision extends Error {}

/**
 * Asks the refresh hook about a login that does not exist. Yes and no are both good.
 *
 * @throws NoDecision that says why the hook made no decision
 */
export async function playCanaryQuestion(
  hook: RefreshHook,
  now: Seconds,
): Promise<void> {
  const decision = await hook.decide({
    grant_id: "0".repeat(GRANT_ID_CHARACTERS),
    client_id: CLIENT.client_id,
    subject: `baton doctor ${crypto.randomUUID()}`,
    scope: "",
    created_at: now,
  });
  if (decision.outcome === "failed") throw new NoDecision(decision.error);
}
