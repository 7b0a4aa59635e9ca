import type { SecureHeadersVariables } from "hono/secure-headers";
import type { LoginService } from "./baton.ts";
import type { Session } from "./session.ts";
import type { User } from "./users.ts";

export interface SignedInUser extends User {
  /** The time of the sign-in, in seconds since 1970. */
  auth_time: number;
}

/** The bindings of this Worker, and the variables that Hono carries through a request. */
export interface App {
  Bindings: {
    BATON: LoginService;
    ATTEMPTS: RateLimit;
    /** Signs the cookie: at least 32 random characters. */
    SESSION_SECRET?: string;
  };
  Variables: SecureHeadersVariables & {
    session: Session;
    /** The person who is signed in. Undefined: nobody is. */
    user: SignedInUser | undefined;
    /** The form of a POST request, with the CSRF token of the session. */
    form: URLSearchParams;
  };
}

/** The current time in seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);
