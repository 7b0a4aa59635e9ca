import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import {
  cpuPerRotation,
  type EntrantResults,
  type Figure,
  type Results,
  rotationsPerSecond,
} from "../results.ts";
import { verdicts } from "./guarantees.ts";
import { figure } from "./markdown.ts";
import { ratioToFloor } from "./report.ts";

/** The load that the picture shows. */
const CHAINS = 16;

const BAR_COLORS = { floor: "#b8bfc7", own: "#d9730d", peer: "#4c78a8" };
const VERDICT_COLORS = { yes: "#1a7f37", no: "#cf222e" };
const TEXT = "#24292f";

type Panel = Extract<TopLevelSpec, { hconcat: unknown }>["hconcat"][number];

const ROWS = { step: 28 };
/** One row per server, in their order. */
const row = {
  field: "name",
  type: "nominal",
  sort: null,
  axis: null,
} as const;
/** As wide as the longest name, because Vega can't measure text without a screen. */
const NAMES_WIDTH = 205;

/** @returns an SVG: bars for throughput and CPU, and beside them what each server guarantees */
export function plot({ entrants }: Results): Promise<string> {
  const spec: TopLevelSpec = {
    // Not transparent, because pages of any colour show the picture.
    background: "white",
    title: {
      text: `${CHAINS} clients at a time, each rotating its own token`,
      offset: 14,
      fontWeight: "normal",
    },
    padding: 12,
    spacing: 24,
    bounds: "flush",
    hconcat: [
      names(entrants),
      bars("rotations per second", entrants, rotationsPerSecond),
      bars("CPU time per rotation", entrants, cpuPerRotation),
      guarantees(entrants),
    ],
    config: {
      font: "Helvetica, Arial, sans-serif",
      view: { stroke: null },
      axis: {
        domain: false,
        ticks: false,
        grid: false,
        labelColor: TEXT,
        labelFontSize: 11,
      },
      title: { anchor: "start", frame: "group", fontSize: 12, color: TEXT },
      text: { fontSize: 11, color: TEXT },
    },
  };
  return new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

function names(entrants: readonly EntrantResults[]): Panel {
  return {
    width: NAMES_WIDTH,
    height: ROWS,
    data: { values: entrants.map(({ name }) => ({ name })) },
    mark: { type: "text", align: "left", x: 0, fontSize: 12 },
    encoding: { y: row, text: { field: "name", type: "nominal" } },
  };
}

/** The median of the rounds as a bar, with a line over their middle half. */
function bars(
  title: string,
  entrants: readonly EntrantResults[],
  ofWhat: Figure,
): Panel {
  const values = entrants.map((entrant) => {
    const { median, lower, upper } = ratioToFloor(
      entrants,
      ofWhat,
      entrant,
      CHAINS,
    );
    const color = BAR_COLORS[entrant.role];
    return {
      name: entrant.name,
      median,
      lower,
      upper,
      color,
      label: figure(median),
    };
  });
  const max = Math.max(...values.map(({ upper }) => upper));
  // Leaves room for the label behind the longest bar.
  const scale = { domain: [0, max * 1.25], nice: false };
  const x = { type: "quantitative", axis: null, scale } as const;
  return {
    title: [title, "(the floor is 1)"],
    width: 150,
    height: ROWS,
    data: { values },
    encoding: { y: row },
    layer: [
      {
        mark: { type: "bar", height: 16 },
        encoding: {
          x: { ...x, field: "median" },
          color: { field: "color", type: "nominal", scale: null },
        },
      },
      {
        mark: { type: "rule", color: TEXT },
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

function guarantees(entrants: readonly EntrantResults[]): Panel {
  const columns = ["one|exchange", "reuse|noticed", "survives|kill -9"];
  const values = entrants.flatMap(({ name, guarantees }) =>
    verdicts(guarantees[""]!).map((verdict, index) => ({
      name,
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
      y: row,
      text: { field: "verdict", type: "nominal" },
      color: {
        field: "verdict",
        type: "nominal",
        legend: null,
        scale: {
          domain: Object.keys(VERDICT_COLORS),
          range: Object.values(VERDICT_COLORS),
        },
      },
    },
  };
}
