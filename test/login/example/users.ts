/** The users who may sign in. The example has two of them in its code: put your own user store here. */

export interface User {
  /**
   * The `sub` of the tokens. It must never pass to another person. Here it is the user name; an id that is never used
   * again is better.
   */
  sub: string;
  /** About the person, by the names of OpenID Connect Core section 5.1. Apps get what their scopes release. */
  profile: { name: string; email: string; [claim: string]: unknown };
  /** For the APIs behind the apps: each access token has them. */
  roles: string[];
  /** The PBKDF2 hash of the password, and its salt, in base64. */
  password: { salt: string; hash: string };
}

/** Their passwords are public: rabbit-hole and can-we-fix-it. */
const users: User[] = [
  {
    sub: "alice",
    profile: {
      name: "Alice Liddell",
      given_name: "Alice",
      family_name: "Liddell",
      preferred_username: "alice",
      email: "alice@example.com",
      email_verified: true,
    },
    roles: ["editor"],
    password: {
      salt: "n3JLcTTCyrScd155Gx2i6Q==",
      hash: "5d5ERTfj78HJ495ZK5HETNTQkbRdMqYBCAB/MhV0FwI=",
    },
  },
  {
    sub: "bob",
    profile: {
      name: "Bob Builder",
      given_name: "Bob",
      family_name: "Builder",
      preferred_username: "bob",
      email: "bob@example.com",
      email_verified: false,
    },
    roles: [],
    password: {
      salt: "9+ily7tjLr8vyabvJLct0Q==",
      hash: "NZxHESmtyNuTTuGYal9urHRyA5pRs7MDAeHhj/anCuc=",
    },
  },
];

/** Checked if the user does not exist, so that the check takes as long. No password matches. */
const dummyPassword = {
  salt: "AAAAAAAAAAAAAAAAAAAAAA==",
  hash: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
};

/** The maximum that Workers allow. OWASP asks for 600,000, or for Argon2id: hash elsewhere if you can. */
const ITERATIONS = 100_000;

/** Finds a user by user name or e-mail address. */
export async function findUser(name: string): Promise<User | undefined> {
  return users.find(({ sub, profile }) => [sub, profile.email].includes(name));
}

/**
 * Checks a name and a password. A wrong name takes as long as a wrong password, so that nobody learns which
 * names exist.
 *
 * @returns undefined if the name or the password is wrong
 */
export async function authenticate(
  name: string,
  password: string,
): Promise<User | undefined> {
  const user = await findUser(name);
  const { salt, hash } = user?.password ?? dummyPassword;
  const derived = await pbkdf2(password, Uint8Array.fromBase64(salt));
  const matches = crypto.subtle.timingSafeEqual(
    derived,
    Uint8Array.fromBase64(hash),
  );
  return matches ? user : undefined;
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
