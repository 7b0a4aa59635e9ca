/** The users who may sign in. The example has two of them in its code: put your own user store here. */

/** A password's PBKDF2 hash and its salt, in base64. */
interface Account {
  salt: string;
  hash: string;
}

/** Their passwords are public: rabbit-hole and can-we-fix-it. */
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

/** Checked if the user does not exist, so that the check takes as long. No password matches. */
const dummyAccount: Account = {
  salt: "AAAAAAAAAAAAAAAAAAAAAA==",
  hash: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
};

/** The maximum that Workers allow. OWASP asks for 600,000, or for Argon2id: hash elsewhere if you can. */
const ITERATIONS = 100_000;

/**
 * Checks a name and a password. A wrong name takes as long as a wrong password, so that nobody learns which
 * names exist.
 *
 * @returns the `sub` of the tokens, or undefined if the name or the password is wrong. The `sub` must never
 *   pass to another person. Here it is the user name; an id that is never used again is better.
 */
export async function authenticate(
  username: string,
  password: string,
): Promise<string | undefined> {
  const account = accounts.get(username);
  const { salt, hash } = account ?? dummyAccount;
  const derived = await pbkdf2(password, Uint8Array.fromBase64(salt));
  const matches = crypto.subtle.timingSafeEqual(
    derived,
    Uint8Array.fromBase64(hash),
  );
  return account && matches ? username : undefined;
}

/** The same as `pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256")` in Node, with which you can add a user. */
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
