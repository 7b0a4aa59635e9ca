/**
 * The roles of administrators. `admin` may do everything. `operator` may do the daily work, but nothing that makes
 * or deletes credentials or gives a client power (`clients/power.ts`). `login` may do what a sign-in page or a back end
 * needs to sign people in, and nothing else. `read` may read. `register` may do nothing with the admin API: it is for
 * initial access tokens, with which clients register themselves (RFC 7591 section 3).
 */
export const roles = [
  "admin",
  "operator",
  "login",
  "read",
  "register",
] as const;

export type Role = (typeof roles)[number];

/** The roles that each role includes. */
const included: Record<Role, readonly Role[]> = {
  admin: roles,
  operator: ["operator", "read"],
  login: ["login"],
  read: ["read"],
  register: ["register"],
};

/** Finds a role by its name. Undefined: there is no such role. */
export function roleNamed(name: unknown): Role | undefined {
  return roles.find((role) => role === name);
}

/** Tells whether somebody with a role may do what needs another. Without a role nobody may do anything. */
export function includesRole(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && included[role].includes(needed);
}
