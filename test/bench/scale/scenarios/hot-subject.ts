import { compare, ratio } from "../compare.ts";
import { makeLogins, refreshLoop } from "../load.ts";
import { figure, table } from "../markdown.ts";
import { logoutEverywhere } from "../operations.ts";
import type { Scenario } from "../scenario.ts";
import { BatonServer, type Client, WrongAnswer } from "../server.ts";
import { median } from "../statistics.ts";

const CHAINS = 32;
/** How many logins are timed, one after another, after the subject has all its other logins. */
const TIMED_LOGINS = 20;
/** The maximum number of refreshed families of the subject, and of other subjects. */
const MAX_REFRESHED = 500;

/** A subject with many logins: a service account, or the test user of a whole company. */
export const hotSubject: Scenario = {
  name: "hot-subject",
  about:
    "a subject with up to thousands of logins: refresh, log in again, list, log out",

  async run({ port, smoke }) {
    const sizes = smoke ? [30, 120] : [10, 100, 1_000, 3_000];
    const [seconds, rounds] = smoke ? [0.2, 1] : [0.8, 5];
    await using server = await BatonServer.start(port);
    const client = await server.makeClient();
    // These are not measured, because the server is slow at first.
    await makeLogins(server, smoke ? 20 : 300, [client]);
    const rows = [];
    for (const size of sizes)
      rows.push(await measure(server, client, size, seconds, rounds));
    return table(
      [
        "logins of the subject",
        "refresh rate, relative to other subjects",
        "one more login, ms",
        "list all, ms",
        "log out everywhere, ms",
        "requests of the logout",
        "object calls of the logout",
      ],
      rows,
    );
  },
};

async function measure(
  server: BatonServer,
  client: Client,
  size: number,
  seconds: number,
  rounds: number,
): Promise<string[]> {
  const subject = `subject-of-${size}`;
  const timed = Math.min(TIMED_LOGINS, size / 2);
  const logins = await makeLogins(
    server,
    size - timed,
    [client],
    () => subject,
  );
  const loginTimes = [];
  for (let made = 0; made < timed; made++) {
    const [ms, login] = await timing(() => server.login(client, subject));
    loginTimes.push(ms);
    logins.push(login);
  }

  const some = logins.slice(0, MAX_REFRESHED);
  const others = await makeLogins(server, some.length, [client]);
  const refreshes = await compare(
    rounds,
    () => refreshLoop(server, some, CHAINS, seconds),
    () => refreshLoop(server, others, CHAINS, seconds),
  );

  const [list, found] = await timing(() => server.list(subject));
  if (found !== size)
    throw new WrongAnswer(`The list has ${found} of ${size} logins`);
  const [logout, requests] = await timing(() => logOut(server, subject));
  for (const login of logins.slice(-50))
    await server.expectRefreshRefused(login);
  for (const login of others.slice(-5)) await server.refresh(login);

  const expected = logoutEverywhere(size);
  if (requests !== expected.workerRequests)
    throw new WrongAnswer(
      `A logout of ${size} families took ${requests} requests`,
    );
  return [
    figure(size),
    ratio(refreshes),
    figure(median(loginTimes)),
    figure(list),
    figure(logout),
    figure(requests),
    figure(expected.objectRequests),
  ];
}

/** Logs a subject out everywhere. @returns the number of requests */
async function logOut(server: BatonServer, subject: string): Promise<number> {
  for (let requests = 1; ; requests++)
    if (await server.logOut(subject)) return requests;
}

async function timing<T>(work: () => Promise<T>): Promise<[number, T]> {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
}
