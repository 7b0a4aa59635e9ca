import { z } from "zod";
import { publicKeyMembers, secretKeyProblem } from "../oauth/jwk-members.ts";

/**
 * A public key, with the members that the server keeps, so that it can be compared with the server's. A private key is
 * refused here and does not leave this machine. The server checks the rest.
 */
const publicKey = z
  .unknown()
  .transform((key, context): Record<string, unknown> => {
    const message = secretKeyProblem(key);
    if (message !== undefined) {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
    const members = new Map(Object.entries(key as object));
    return Object.fromEntries(
      publicKeyMembers
        .filter((name) => members.has(name))
        .map((name) => [name, members.get(name)]),
    );
  });

/** The public keys of a client: a JWK set. */
export const publicKeySet = z.object({ keys: z.array(publicKey) });

export type PublicKeys = z.output<typeof publicKeySet>;
