import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import {
  coldRatio,
  type ColdServer,
  type RequestKind,
} from "../cold/results.ts";
import {
  cpuPerRotation,
  type EntrantResults,
  type Figure,
  type Results,
  rotationsPerSecond,
} from "../results.ts";
import type { Spread } from "../statistics.ts";
import { answerCpu, evictedCpu, evictedRatio } from "./cold.ts";
import { verdicts } from "./guarantees.ts";
import { figure } from "./markdown.ts";
import { ratioToFloor } from "./report.ts";
import { names, type Panel, rowsOf } from "./rows.ts";

/** The load that the picture shows. */
const CHAINS = 16;

export interface Colors {
  background: string;
  text: string;
  /** Text that says how a panel is read. */
  quiet: string;
  yes: string;
  /** Between yes and no. */
  partly: string;
  no: string;
  /** By the role of a server. */
  bars: Record<EntrantResults["role"], string>;
}

/** The colours for a light and for a dark page. The backgrounds are those of GitHub's pages. */
export const schemes = {
  light: {
    background: "#ffffff",
    text: "#24292f",
    quiet: "#57606a",
    yes: "#1a7f37",
    partly: "#9a6700",
    no: "#cf222e",
    bars: { floor: "#868e96", own: "#d9730d", peer: "#4c78a8" },
  },
  dark: {
    background: "#0d1117",
    text: "#e6edf3",
    quiet: "#9198a1",
    yes: "#3fb950",
    partly: "#d29922",
    no: "#ff7b72",
    bars: { floor: "#7d8590", own: "#f0883e", peer: "#6ca0dc" },
  },
} satisfies Record<string, Colors>;
export type Scheme = keyof typeof schemes;

/** One row of a panel. */
interface Bar {
  name: string;
  role: EntrantResults["role"];
  /** To the yardstick of the panel. Without it the row stays empty. */
  ratio: Spread | undefined;
}

const ROWS = { step: 28 };
/** As wide as the longest name, because Vega can't measure text without a screen. */
const NAMES_WIDTH = 215;

/**
 * @returns an SVG: bars for throughput and CPU, and beside them what each server guarantees; below, bars for
 *   the cold path
 */
export function plot(
  { entrants, cold: { servers } }: Results,
  colors: Colors,
): Promise<string> {
  const hot = (ofWhat: Figure) =>
    entrants.map((entrant) => ({
      ...entrant,
      ratio: ratioToFloor(entrants, ofWhat, entrant, CHAINS),
    }));
  const spec: TopLevelSpec = {
    // Not transparent, because pages of any colour show the picture.
    background: colors.background,
    padding: 12,
    spacing: 30,
    vconcat: [
      block(`${CHAINS} clients at a time, each rotating its own token`, [
        names(entrants, NAMES_WIDTH, ROWS),
        bars(
          "rotations per second",
          "more is better; the floor is 1",
          hot(rotationsPerSecond),
          colors,
        ),
        bars(
          "CPU time per rotation",
          "less is better; the floor is 1",
          hot(cpuPerRotation),
          colors,
        ),
        guarantees(entrants, colors),
      ]),
      block("Cold: a process that has just started, an object that sleeps", [
        names(servers, NAMES_WIDTH, ROWS),
        bars(
          "CPU to the first answer",
          "less is better; Hono is 1",
          firstBars(servers, "a refused token"),
          colors,
        ),
        bars(
          "CPU to the first refresh",
          "less is better; Hono is 1",
          firstBars(servers, "a refresh"),
          colors,
        ),
        bars(
          "CPU, object evicted",
          "less is better; the floor is 1",
          evictedBars(servers),
          colors,
        ),
      ]),
    ],
    config: {
      font: "Helvetica, Arial, sans-serif",
      view: { stroke: null },
      axis: {
        domain: false,
        ticks: false,
        grid: false,
        labelColor: colors.text,
        labelFontSize: 11,
      },
      title: {
        anchor: "start",
        frame: "group",
        fontSize: 12,
        color: colors.text,
        subtitleColor: colors.quiet,
        subtitleFontSize: 11,
      },
      text: { fontSize: 11, color: colors.text },
    },
  };
  return new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

function block(title: string, hconcat: Panel[]) {
  return {
    title: { text: title, offset: 14, fontWeight: "normal", fontSize: 14 },
    spacing: 24,
    bounds: "flush",
    hconcat,
  } as const;
}

function firstBars(servers: readonly ColdServer[], kind: RequestKind): Bar[] {
  const [hono] = servers;
  return servers.map((server) => ({
    ...server,
    ratio: coldRatio(answerCpu, server.first[kind], hono!.first[kind]),
  }));
}

function evictedBars(servers: readonly ColdServer[]): Bar[] {
  return servers.map((server) => ({
    ...server,
    ratio: server.evicted && evictedRatio(servers, evictedCpu, server.evicted),
  }));
}

/** The median of the rounds as a bar, with a line over their middle half. */
function bars(
  title: string,
  subtitle: string,
  rows: readonly Bar[],
  colors: Colors,
): Panel {
  const values = rows.flatMap(({ name, role, ratio }) =>
    ratio === undefined
      ? []
      : [
          {
            name,
            ...ratio,
            color: colors.bars[role],
            label: figure(ratio.median),
          },
        ],
  );
  const max = Math.max(...values.map(({ upper }) => upper));
  // Leaves room for the label behind the longest bar.
  const scale = { domain: [0, max * 1.25], nice: false };
  const x = { type: "quantitative", axis: null, scale } as const;
  return {
    title: { text: title, subtitle },
    width: 150,
    height: ROWS,
    data: { values },
    encoding: { y: rowsOf(rows) },
    layer: [
      {
        mark: { type: "bar", height: 16 },
        encoding: {
          x: { ...x, field: "median" },
          color: { field: "color", type: "nominal", scale: null },
        },
      },
      {
        mark: { type: "rule", color: colors.text },
        encoding: { x: { ...x, field: "lower" }, x2: { field: "upper" } },
      },
      {
        mark: { type: "text", align: "left", dx: 5 },
        encoding: {
          x: { ...x, field: "upper" },
          text: { field: "label", type: "nominal" },
        },
      },
    ],
  };
}

function guarantees(
  entrants: readonly EntrantResults[],
  { yes, no }: Colors,
): Panel {
  const columns = [
    "one|exchange",
    "reuse|noticed",
    "survives|kill -9",
    "commits|synced",
  ];
  const values = entrants.flatMap((entrant) =>
    verdicts(entrant).map((verdict, index) => ({
      name: entrant.name,
      verdict,
      column: columns[index],
    })),
  );
  return {
    width: { step: 60 },
    height: ROWS,
    data: { values },
    mark: { type: "text", fontWeight: "bold" },
    encoding: {
      x: {
        field: "column",
        type: "nominal",
        sort: null,
        axis: {
          orient: "top",
          title: null,
          labelAngle: 0,
          labelExpr: "split(datum.label, '|')",
          labelPadding: 16,
          labelFontWeight: "bold",
        },
      },
      y: rowsOf(entrants),
      text: { field: "verdict", type: "nominal" },
      color: {
        field: "verdict",
        type: "nominal",
        legend: null,
        scale: { domain: ["yes", "no"], range: [yes, no] },
      },
    },
  };
}
