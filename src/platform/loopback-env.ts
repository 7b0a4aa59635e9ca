import { OAuthError, type Problem } from "../oauth/errors.ts";

/**
 * A server of plain `wrangler dev`, for which nobody has set ISSUER: an empty ISSUER stands for the loopback address
 * that was asked. For every other address an empty ISSUER stays an error, because whoever chooses the Host of a
 * request would choose the issuer of its tokens.
 */

/** A line of the log, beside those of the missing secrets. */
const howToBegin: Problem = {
  name: ".dev.vars",
  problem: "has no keys: type npm run dev, or npm run baton -- setup --local",
};

/** The most loopback origins of one set of bindings. A local server has two or three. */
const MAX_ORIGINS = 16;

/** The bindings with an ISSUER from a loopback address, by origin, of each set of bindings. */
const derived = new WeakMap<Env, Map<string, Env>>();
/** The sets of bindings of a local server that has no keys yet. */
const withoutKeys = new WeakSet<Env>();

/**
 * Returns the bindings for a request. They are the Worker's own, unless the request is for a loopback address and
 * ISSUER or all keys are missing. The result for an origin is always the same object, because servers are kept for
 * each set of bindings. After too many origins it is the Worker's own for every new one.
 */
export function envFor(request: Request, env: Env): Env {
  if (env.ISSUER && env.PRIVATE_KEY && env.ENCRYPTION_KEY) return env;
  const origin = loopbackOriginOf(request);
  if (origin === undefined) return env;
  const known = derived.get(env) ?? new Map<string, Env>();
  derived.set(env, known);
  const made = known.get(origin);
  if (made) return made;
  if (known.size >= MAX_ORIGINS) return env;
  const local = { ...env, ISSUER: env.ISSUER || origin };
  if (!Object.keys(env).some((name) => isKey(name) && Reflect.get(env, name)))
    withoutKeys.add(local);
  known.set(origin, local);
  return local;
}

/** The URL of a request to a loopback address. A pattern, because every request of a deployed server is tested. */
const loopbackUrl = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/]/;

/** An address of this machine, also as IPv6 holds one of IPv4. */
const loopbackAddress = /^(?:::1|(?:::ffff:)?127(?:\.\d{1,3}){3})$/i;

/**
 * Returns the origin of a request to a loopback address. The Host must be that of the URL: a request of another Worker
 * by a service binding has none, unless that Worker sets it. CF-Connecting-IP must be of this machine, because with
 * `--ip 0.0.0.0` a neighbour in the network chooses its Host; `wrangler dev` adds the header where it is missing. So whoever
 * forges both headers still gets the forged issuer, but only of a server that has no ISSUER.
 */
function loopbackOriginOf({ url, headers }: Request): string | undefined {
  if (!loopbackUrl.test(url)) return undefined;
  const { host, origin } = new URL(url);
  const from = headers.get("CF-Connecting-IP");
  const isOwn = from === null || loopbackAddress.test(from);
  return isOwn && headers.get("Host") === host ? origin : undefined;
}

/** Tells whether a secret is a key that a server needs. */
function isKey(name: string): boolean {
  return (
    /^(?:PRIVATE|ENCRYPTION)_KEY(?:_|$)/.test(name) &&
    name !== "PRIVATE_KEY_PASSPHRASE"
  );
}

/**
 * Makes a function that makes servers say which command writes the keys, if a local server has none.
 *
 * @throws OAuthError `local_keys_missing` in place of `configuration_malformed`
 */
export function sayHowToBegin<T>(
  make: (env: Env) => Promise<T>,
): (env: Env) => Promise<T> {
  return (env) =>
    make(env).catch((error: unknown) => {
      if (!(error instanceof OAuthError) || !withoutKeys.has(env)) throw error;
      const { problems = [] } = error.details;
      throw new OAuthError("local_keys_missing", {
        problems: [howToBegin, ...problems],
      });
    });
}
