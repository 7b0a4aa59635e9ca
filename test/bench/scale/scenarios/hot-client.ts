import { both, compare, type Comparison, ratio } from "../compare.ts";
import { closedLoop, makeLogins, refreshLoop } from "../load.ts";
import { figure, table } from "../markdown.ts";
import type { Scenario } from "../scenario.ts";
import { BatonServer, type Client, type Login } from "../server.ts";

const CHAINS = 32;
/** Of how many families the introspections are that are held against those of one. */
const INTROSPECTED = 200;

/** Whether it matters that many share something: families a client, or resource servers a family. */
export const hotClient: Scenario = {
  name: "hot-client",
  about:
    "the families of one client, against as many of many; one family, asked about by all",

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
        "a second",
        "median, ms",
        "CPU of the server, ms",
      ],
      [
        [
          `Refreshes of ${figure(families)} families of one client, to those of as many of ${clients} clients`,
          ...columns(refreshes),
        ],
        [
          `Introspections of one family, to those of ${INTROSPECTED} families`,
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
