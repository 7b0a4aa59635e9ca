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

const ROWS = { step: 30 };
/** Wide enough for a count. */
const NARROW = { step: 36 };
/** Wide enough for a word. */
const WIDE = { step: 46 };
/** As wide as the longest name, because Vega can't measure text without a screen. */
const NAMES_WIDTH = 285;

/** One field of a matrix: the outcome of a trace on a server. */
interface Cell {
  text: string;
  color: string;
}

/** @returns an SVG: a row for each server, a field for each trace, and the two sums that matter */
export function plot({ servers }: Results, colors: Colors): Promise<string> {
  const spec: TopLevelSpec = {
    // Not transparent, because pages of any colour show the picture.
    background: colors.background,
    padding: 12,
    spacing: 16,
    bounds: "flush",
    hconcat: [
      names(servers, NAMES_WIDTH, ROWS),
      matrix(
        servers,
        honestTraces.map(({ title }) => title),
        NARROW,
        {
          text: "Without a thief: how many holders of the login stay signed in",
          subtitle: [
            "1/2: one of two tabs, processes or workers that hold the login.",
            "In the others, the user must sign in again. Red: in all of them.",
          ],
        },
        (repeats) => honestCell(repeats, colors),
        colors,
      ),
      sums(servers, `logins lost,|of ${honestTraces.length}`, figures.lost),
      matrix(
        servers,
        theftTraces.map(({ title }) => title),
        WIDE,
        {
          text: "With a thief: who holds a valid token at the end",
          subtitle: [
            "ended: nobody, because the server noticed. stays: the owner, and the thief got no token.",
            "owner, thief, both: the thief got tokens, and nobody noticed.",
          ],
        },
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
      title: {
        anchor: "start",
        frame: "group",
        fontSize: 12,
        color: colors.text,
        subtitleColor: colors.quiet,
        subtitleFontSize: 11,
        // The names of the traces are shorter than Vega believes, because it can't measure text.
        offset: -50,
      },
      text: { fontSize: 11, color: colors.text },
    },
  };
  return new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

function matrix(
  servers: readonly ServerResults[],
  titles: readonly string[],
  width: { step: number },
  title: { text: string; subtitle: string | string[] },
  cellOf: (repeats: readonly Outcome[]) => Cell,
  { background }: Colors,
): Panel {
  const values = servers.flatMap(({ name, outcomes }) =>
    titles.map((trace) => ({ name, trace, ...cellOf(outcomes[trace] ?? []) })),
  );
  return {
    title,
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
    width: { step: 76 },
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
  refused: "stays",
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
