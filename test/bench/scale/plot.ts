import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { arrivals } from "./dispersion.ts";
import { seeded } from "./random.ts";

const HOURS = 12;
/** One bin per minute. */
const BINS = 60;
/** The smallest value in the picture, because a logarithmic axis can't show 0. */
const MIN_SHOWN = 0.1;
const FAMILIES = 500_000;
const TEXT = "#24292f";
const jitters = [
  { jitter: 0, name: "no jitter", color: "#cf222e" },
  { jitter: 0.1, name: "in the last 10 % of the hour", color: "#d9730d" },
  { jitter: 0.2, name: "in the last 20 %", color: "#4c78a8" },
  { jitter: 0.5, name: "in the last 50 %", color: "#1a7f37" },
];

/** The data of the picture, which shows how a herd disperses by the jitter of its clients. */
const values = jitters.flatMap(({ jitter, name }) => {
  const herd = { families: FAMILIES, lifetimes: HOURS, bins: BINS };
  return arrivals({ ...herd, jitter, random: seeded(1) }).flatMap(
    (refreshes, bin) => {
      const shown = Math.max(refreshes, MIN_SHOWN);
      return { hour: bin / BINS, refreshes: shown, least: MIN_SHOWN, name };
    },
  );
});

const spec: TopLevelSpec = {
  // Not transparent, because pages of any colour show the picture.
  background: "white",
  padding: 12,
  spacing: 10,
  data: { values },
  facet: {
    row: {
      field: "name",
      sort: jitters.map(({ name }) => name),
      title: null,
      header: { labelAngle: 0, labelAnchor: "start", labelOrient: "top" },
    },
  },
  spec: {
    width: 720,
    height: 90,
    mark: { type: "area", clip: true },
    encoding: {
      x: {
        field: "hour",
        type: "quantitative",
        title: "hours since all of them signed in",
        axis: { values: Array.from({ length: HOURS + 1 }, (_, hour) => hour) },
      },
      y: {
        field: "refreshes",
        type: "quantitative",
        title: "times the average",
        scale: { type: "log", domain: [MIN_SHOWN, 100] },
        axis: { values: [MIN_SHOWN, 1, 10, 100], format: "~g" },
      },
      y2: { field: "least" },
      color: {
        field: "name",
        type: "nominal",
        legend: null,
        scale: {
          domain: jitters.map(({ name }) => name),
          range: jitters.map(({ color }) => color),
        },
      },
    },
  },
  config: {
    font: "Helvetica, Arial, sans-serif",
    view: { stroke: null },
    axis: { labelColor: TEXT, titleColor: TEXT, titleFontWeight: "normal" },
    header: { labelColor: TEXT, labelFontSize: 12 },
  },
};

const svg = await new View(parse(compile(spec).spec), {
  renderer: "none",
}).toSVG();
// Rounded to a tenth of a pixel, which is precise enough.
const short = svg.replaceAll(/\d+\.\d{2,}/g, (length) =>
  String(Number(Number(length).toFixed(1))),
);
await writeFile(join(import.meta.dirname, "herd.svg"), `${short}\n`);
