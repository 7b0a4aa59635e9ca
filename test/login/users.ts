/** Who may sign in. Two people in the code, for the example: put your own user store here. */

/** A password's PBKDF2 hash and the salt that went into it, in base64. */
interface Account {
  salt: string;
  hash: string;
}

/** Everybody knows their passwords: rabbit-hole and can-we-fix-it. */
const accounts = new Map<string, Account>([
  [
    "alice",
    {
      salt: "n3JLcTTCyrScd155Gx2i6Q==",
      hash: "5d5ERTfj78HJ495ZK5HETNTQkbRdMqYBCAB/MhV0FwI=",
    },
  ],
  [
    "bob",
    {
      salt: "9+ily7tjLr8vyabvJLct0Q==",
      hash: "NZxHESmtyNuTTuGYal9urHRyA5pRs7MDAeHhj/anCuc=",
    },
  ],
]);

/** Whose password is checked when there is no such user: that takes as long, and none fits. */
const nobody: Account = {
  salt: "AAAAAAAAAAAAAAAAAAAAAA==",
  hash: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
};

/** As many as Workers allow. OWASP asks for 600,000 or for Argon2id: hash elsewhere if you can. */
const ITERATIONS = 100_000;

/**
 * The user with this name and this password; undefined if either is wrong. Both take the same time,
 * so that nobody learns which names there are.
 *
 * @returns the `sub` of the tokens to come, which must never become another person's. Here it is the
 *   user name; better is an id that is never given out again.
 */
export async function authenticate(
  username: string,
  password: string,
): Promise<string | undefined> {
  const account = accounts.get(username);
  const { salt, hash } = account ?? nobody;
  const derived = await pbkdf2(password, Uint8Array.fromBase64(salt));
  const fits = crypto.subtle.timingSafeEqual(
    derived,
    Uint8Array.fromBase64(hash),
  );
  return account && fits ? username : undefined;
}

/** As `pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256")` in Node, if you want to add a user. */
async function pbkdf2(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
): Promise<ArrayBuffer> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(password),
    "PBKDF2",
    false,
    ["deriveBits"],
  );
  return crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS },
    key,
    256,
  );
}
