/**
 * What each operation of Baton uses of the platform, counted in the code.
 * `test/grants/refresh-token-cost.test.ts` checks the numbers of a refresh.
 */
export interface Operation {
  workerRequests: number;
  /** RPC calls and alarms. */
  objectRequests: number;
  rowsRead: number;
  rowsWritten: number;
  /** KV reads of an isolate with nothing in memory. `kvReadsOf` in usage.ts calculates those of a refresh. */
  kvReadsCold: number;
}

/** A refresh: one call of the family, which reads its record and writes the next. */
export const refresh: Operation = {
  workerRequests: 1,
  objectRequests: 1,
  rowsRead: 1,
  rowsWritten: 1,
  kvReadsCold: 2,
};

/**
 * A sign-in by authorization code: `/authorize`, the sign-in page's two calls of the admin API, and the
 * exchange of the code. The family reads nothing and writes its record and its alarm. The index checks for a
 * logout and writes an entry. Each of the four requests looks up the client and the scopes.
 */
export const signIn: Operation = {
  workerRequests: 4,
  objectRequests: 2,
  rowsRead: 2,
  rowsWritten: 3,
  kvReadsCold: 8,
};

/**
 * A login that a back end starts (`POST /admin/grants`). Besides the family and the index it calls the
 * `KvRecordWriter` objects of the client's record and of the scopes, each of which reads KV.
 */
export const login: Operation = {
  workerRequests: 1,
  objectRequests: 4,
  rowsRead: 4,
  rowsWritten: 3,
  kvReadsCold: 2,
};

/** The alarm of a live family, once per lifetime of a refresh token. It sets the next alarm. */
export const renewedAlarm: Operation = {
  workerRequests: 0,
  objectRequests: 1,
  rowsRead: 1,
  rowsWritten: 1,
  kvReadsCold: 0,
};

/** The expiry of a family: its alarm and the index's call. It is ended, removed from the index, and deleted. */
export const familyExpiry: Operation = {
  workerRequests: 0,
  objectRequests: 2,
  rowsRead: 3,
  rowsWritten: 3,
  kvReadsCold: 0,
};

/** A logout of one login: the call that ends the family and sets its alarm, the alarm, and the index's call. */
export const revocation: Operation = {
  workerRequests: 1,
  objectRequests: 3,
  rowsRead: 4,
  rowsWritten: 4,
  kvReadsCold: 1,
};

/** `POST /introspect`: reads the family, the resource server's client and the token's client. */
export const introspection: Operation = {
  workerRequests: 1,
  objectRequests: 1,
  rowsRead: 1,
  rowsWritten: 0,
  kvReadsCold: 2,
};

/** How many families `revokeAll` (`src/platform/family-repository.ts`) ends at once. */
const PAGE = 100;
/** How many families it ends in one request. */
const MAX_PER_REQUEST = 800;

/**
 * Log out everywhere, for a subject with a number of families, until the answer is 200. A request writes the
 * logout and its alarm, removes pages from the index, and checks again whether families are left. Each
 * family's alarm also notifies the index. At the end the index deletes the logout.
 */
export function logoutEverywhere(families: number): Operation {
  const requests = Math.max(1, Math.ceil(families / MAX_PER_REQUEST));
  const pages = Math.ceil(families / PAGE);
  return {
    workerRequests: requests,
    objectRequests: 2 * requests + 2 * pages + 3 * families + 1,
    rowsRead: 2 * requests + pages + 4 * families + 2,
    rowsWritten: 2 * requests + 4 * families + 1,
    kvReadsCold: 0,
  };
}
