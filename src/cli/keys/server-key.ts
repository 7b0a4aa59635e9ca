import { z } from "zod";
import { keyKinds } from "./key-names.ts";

/** A key as `/health` lists it. */
export const serverKey = z.looseObject({
  /** The name of the secret. A secret without a label may have several keys. */
  secret: z.string(),
  kind: z.enum(keyKinds),
  kid: z.string(),
  /** The algorithm of a private key. */
  alg: z.string().optional(),
  /** The time from which it makes tokens, in seconds since 1970. Left out: its value has none. */
  from: z.int().optional(),
  /** The one that makes tokens now, one whose time has not come, or one that is only accepted. */
  state: z.enum(["making", "pending", "accepted"]),
  /** The time until which a token of it may live, in seconds since 1970. Left out: unknown, or without end. */
  needed_until: z.int().optional(),
  /** Of a key that makes tokens: how long the longest-lived of them is good, in seconds. Left out: unknown. */
  longest_life: z.int().optional(),
});

export type ServerKey = z.output<typeof serverKey>;
