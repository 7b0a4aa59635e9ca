import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Colors } from "../report/plot.ts";
import { names, type Panel, rowsOf } from "../report/rows.ts";
import type { Outcome } from "./play.ts";
import { figures } from "./report.ts";
import {
  judgeTheft,
  living,
  rangeOf,
  rangeText,
  type Results,
  type ServerResults,
} from "./results.ts";
import { honestTraces, theftTraces } from "./traces/index.ts";

/*
 * All sizes are in pixels, and none is left to Vega, because it can't measure text without a screen.
 */
const ROWS = { step: 30 };
/** Wide enough for a count. */
const NARROW = { step: 36 };
/** Wide enough for a word. */
const WIDE = { step: 52 };
/** Wide enough for the name of a sum. */
const SUMS = { step: 76 };
/** As wide as the longest name of a server. */
const NAMES_WIDTH = 270;
/** Between the panels, and around the picture. */
const SPACING = 16;
/** The heights of the names of the traces, and of the headings above them. */
const LABELS_HEIGHT = 115;
const HEADINGS_HEIGHT = 54;

/** One field of a matrix: the outcome of a trace on a server. */
interface Cell {
  text: string;
  color: string;
}

/** @returns an SVG: a row for each server, a field for each trace, and the two sums that matter */
export function plot({ servers }: Results, colors: Colors): Promise<string> {
  const panels = [
    NAMES_WIDTH,
    honestTraces.length * NARROW.step,
    SUMS.step,
    theftTraces.length * WIDE.step,
    SUMS.step,
  ];
  const spec: TopLevelSpec = {
    // Not transparent, because pages of any colour show the picture.
    background: colors.background,
    spacing: SPACING,
    bounds: "flush",
    hconcat: [
      names(servers, NAMES_WIDTH, ROWS),
      matrix(
        servers,
        honestTraces.map(({ title }) => title),
        NARROW,
        [
          "Without a thief: how many holders of the login stay signed in",
          "1/2: one of two tabs, processes or workers that hold the login.",
          "In the others, the user must sign in again. Red: in all of them.",
        ],
        (repeats) => honestCell(repeats, colors),
        colors,
      ),
      sums(servers, `logins lost,|of ${honestTraces.length}`, figures.lost),
      matrix(
        servers,
        theftTraces.map(({ title }) => title),
        WIDE,
        [
          "With a thief: who holds a valid token at the end",
          "ended: nobody, because the server noticed. refused: the owner, and the thief got no token.",
          "owner, thief, both: the thief got tokens, and nobody noticed.",
        ],
        (repeats) => theftCell(repeats, colors),
        colors,
      ),
      sums(servers, `unnoticed,|of ${theftTraces.length}`, figures.unnoticed),
    ],
    config: {
      // Only shapes and text: the page describes the picture, and has its figures as tables.
      aria: false,
      font: "Helvetica, Arial, sans-serif",
      view: { stroke: null },
      axis: {
        domain: false,
        ticks: false,
        grid: false,
        labelColor: colors.text,
        labelFontSize: 11,
        labelLimit: 300,
      },
      text: { fontSize: 11, color: colors.text },
    },
  };
  const sized = {
    ...compile(spec).spec,
    autosize: "none",
    width: panels.reduce((sum, width) => sum + width + SPACING, -SPACING),
    height: servers.length * ROWS.step,
    padding: {
      top: LABELS_HEIGHT + HEADINGS_HEIGHT + SPACING,
      left: SPACING,
      right: SPACING,
      bottom: SPACING,
    },
  } as const;
  return new View(parse(sized), { renderer: "none" }).toSVG();
}

function matrix(
  servers: readonly ServerResults[],
  titles: readonly string[],
  width: { step: number },
  heading: readonly [string, ...string[]],
  cellOf: (repeats: readonly Outcome[]) => Cell,
  { background, quiet }: Colors,
): Panel {
  const values = servers.flatMap(({ name, outcomes }) =>
    titles.map((trace) => ({ name, trace, ...cellOf(outcomes[trace] ?? []) })),
  );
  const [title, ...rest] = heading;
  const heads = { type: "text", align: "left", baseline: "top" } as const;
  const top = -LABELS_HEIGHT - HEADINGS_HEIGHT;
  return {
    width,
    height: ROWS,
    data: { values },
    encoding: {
      x: {
        field: "trace",
        type: "nominal",
        sort: null,
        scale: { domain: [...titles] },
        axis: {
          orient: "top",
          title: null,
          labelAngle: -90,
          // Half a line, because most names have two lines.
          labelOffset: -5,
          labelExpr: "split(datum.label, ', ')",
        },
      },
      y: rowsOf(servers),
    },
    layer: [
      {
        mark: { type: "rect", stroke: background, strokeWidth: 2 },
        encoding: { color: { field: "color", type: "nominal", scale: null } },
      },
      {
        mark: { type: "text", fontWeight: "bold", color: background },
        encoding: { text: { field: "text", type: "nominal" } },
      },
      {
        data: { values: [{}] },
        mark: { ...heads, text: title, fontSize: 12, fontWeight: "bold" },
        encoding: { x: { value: 0 }, y: { value: top } },
      },
      {
        data: { values: [{}] },
        mark: { ...heads, text: rest, color: quiet, lineHeight: 14 },
        encoding: { x: { value: 0 }, y: { value: top + 17 } },
      },
    ],
  };
}

/** A column with one figure of each server. */
function sums(
  servers: readonly ServerResults[],
  column: string,
  figure: (typeof figures)["lost"],
): Panel {
  const values = servers.map((server) => ({
    name: server.name,
    column,
    text: rangeText(figure(server)),
  }));
  return {
    width: SUMS,
    height: ROWS,
    data: { values },
    mark: { type: "text", fontWeight: "bold", fontSize: 13 },
    encoding: {
      x: {
        field: "column",
        type: "nominal",
        axis: {
          orient: "top",
          title: null,
          labelAngle: 0,
          labelExpr: "split(datum.label, '|')",
          labelPadding: 16,
          labelFontWeight: "bold",
        },
      },
      y: rowsOf(servers),
      text: { field: "text", type: "nominal" },
    },
  };
}

/** A repeat that went worse decides the colour. */
function honestCell(repeats: readonly Outcome[], colors: Colors): Cell {
  const holders = Object.keys(repeats[0] ?? {}).length;
  const range = rangeOf(repeats.map(living));
  const color =
    range.least === holders
      ? colors.yes
      : range.least === 0
        ? colors.no
        : colors.partly;
  return { text: `${rangeText(range)}/${holders}`, color };
}

const theftTexts = {
  ended: "ended",
  refused: "refused",
  "unnoticed: both": "both",
  "unnoticed: thief": "thief",
  "unnoticed: owner": "owner",
} as const;

/** A repeat in which the thief got more decides the colour. */
function theftCell(repeats: readonly Outcome[], colors: Colors): Cell {
  const verdicts = [...new Set(repeats.map(judgeTheft))];
  const [first = "ended"] = verdicts;
  const hasToken = verdicts.some((verdict) =>
    ["unnoticed: both", "unnoticed: thief"].includes(verdict),
  );
  const hadTokens = verdicts.includes("unnoticed: owner");
  return {
    text: verdicts.length > 1 ? "varies" : theftTexts[first],
    color: hasToken ? colors.no : hadTokens ? colors.partly : colors.yes,
  };
}
