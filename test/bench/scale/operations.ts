/**
 * What each thing that Baton does uses of the platform, counted in the code: `test/grants/
 * refresh-token-cost.test.ts` holds a refresh to it.
 */
export interface Operation {
  workerRequests: number;
  /** RPC calls and alarms. */
  objectRequests: number;
  rowsRead: number;
  rowsWritten: number;
  /** Where no isolate remembers anything; those of a refresh are reckoned by `kvReadsOfRefreshes`. */
  kvReadsCold: number;
}

/** The one call of the family, which reads its record and writes the next. */
export const refresh: Operation = {
  workerRequests: 1,
  objectRequests: 1,
  rowsRead: 1,
  rowsWritten: 1,
  kvReadsCold: 2,
};

/**
 * A sign-in by authorization code: `/authorize`, the login's two calls of the admin API, the code. The
 * family: reads nothing, writes record and alarm; the index: looks for a logout, writes an entry. The
 * client and the scopes are looked up in each of the four requests.
 */
export const signIn: Operation = {
  workerRequests: 4,
  objectRequests: 2,
  rowsRead: 2,
  rowsWritten: 3,
  kvReadsCold: 8,
};

/**
 * A login that a back end starts (`POST /admin/grants`): beside the family and the index, the keepers of
 * the client's record and of the scopes, each of which reads KV.
 */
export const login: Operation = {
  workerRequests: 1,
  objectRequests: 4,
  rowsRead: 4,
  rowsWritten: 3,
  kvReadsCold: 2,
};

/** The alarm of a family that lives on, once in a life of a refresh token: it is set anew. */
export const renewedAlarm: Operation = {
  workerRequests: 0,
  objectRequests: 1,
  rowsRead: 1,
  rowsWritten: 1,
  kvReadsCold: 0,
};

/** A family that expires: its alarm, and the index's call. Ended, out of the index, and deleted. */
export const expiry: Operation = {
  workerRequests: 0,
  objectRequests: 2,
  rowsRead: 3,
  rowsWritten: 3,
  kvReadsCold: 0,
};

/** A logout of one login: the family's call (ended, alarm at once), its alarm, the index's call. */
export const revocation: Operation = {
  workerRequests: 1,
  objectRequests: 3,
  rowsRead: 4,
  rowsWritten: 4,
  kvReadsCold: 1,
};

/** `POST /introspect`: the family is looked at. The resource server's client and the token's. */
export const introspection: Operation = {
  workerRequests: 1,
  objectRequests: 1,
  rowsRead: 1,
  rowsWritten: 0,
  kvReadsCold: 2,
};

/** How many families `DurableFamilies.revokeAll` ends at once, and in one request. */
const PAGE = 100;
const MAX_A_REQUEST = 800;

/**
 * Log out everywhere, of a subject with so many families, until it answers 200. A request writes the
 * logout and its alarm, then takes pages out of the index, and looks once more: all over, or more to
 * do. Each family's alarm tells the index by itself as well. In the end the index forgets the logout.
 */
export function logoutEverywhere(families: number): Operation {
  const requests = Math.max(1, Math.ceil(families / MAX_A_REQUEST));
  const pages = Math.ceil(families / PAGE);
  return {
    workerRequests: requests,
    objectRequests: 2 * requests + 2 * pages + 3 * families + 1,
    rowsRead: 2 * requests + pages + 4 * families + 2,
    rowsWritten: 2 * requests + 4 * families + 1,
    kvReadsCold: 0,
  };
}
