import { both, compare, type Comparison, ratio } from "../compare.ts";
import { closedLoop, makeLogins, refreshLoop } from "../load.ts";
import { figure, table } from "../markdown.ts";
import type { Scenario } from "../scenario.ts";
import { BatonServer, type Client, type Login } from "../server.ts";

const CHAINS = 32;
/** The number of families whose introspections are compared with those of one family. */
const INTROSPECTED = 200;

/** Shows whether sharing slows requests: many families share a client, or many requests share a family. */
export const hotClient: Scenario = {
  name: "hot-client",
  about:
    "refreshes of one client vs. many clients; introspections of one family vs. many",

  async run({ port, smoke }) {
    const [families, clients, seconds, rounds] = smoke
      ? [40, 8, 0.3, 2]
      : [1_000, 200, 1.5, 5];
    await using server = await BatonServer.start(port);
    const one = await server.makeClient();
    const others: Client[] = [];
    while (others.length < clients) others.push(await server.makeClient());
    const ofOne = await makeLogins(server, families, [one]);
    const ofMany = await makeLogins(server, families, others);

    const introspect = (logins: Login[]) =>
      closedLoop(server, CHAINS, seconds, (chain, turn) =>
        server.introspect(logins[(chain + turn * CHAINS) % logins.length]!),
      );
    const refreshes = await compare(
      rounds,
      () => refreshLoop(server, ofOne, CHAINS, seconds),
      () => refreshLoop(server, ofMany, CHAINS, seconds),
    );
    const introspections = await compare(
      rounds,
      () => introspect(ofOne.slice(0, 1)),
      () => introspect(ofOne.slice(0, INTROSPECTED)),
    );
    return table(
      [
        "",
        "ratio of the rates",
        "per second",
        "median, ms",
        "CPU of the server, ms",
      ],
      [
        [
          `Refreshes: ${figure(families)} families of one client vs. as many of ${clients} clients`,
          ...columns(refreshes),
        ],
        [
          `Introspections: one family vs. ${INTROSPECTED} families`,
          ...columns(introspections),
        ],
      ],
    );
  },
};

function columns(sides: Comparison): string[] {
  return [
    ratio(sides),
    both(sides, ({ perSecond }) => perSecond),
    both(sides, ({ median }) => median),
    both(sides, ({ cpuMs }) => cpuMs),
  ];
}
