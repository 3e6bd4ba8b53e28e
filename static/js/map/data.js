// What the map shows: the points of the API, in which colours, and the lines of the legend.
import { getJson } from "../base/http.js";
import { base } from "../batches/api.js";

export const NONE = ""; // the key of images in no group
const GREY = 0; // the first style
const QUALITY = ["#b5305f", "#d65f3a", "#d99a2b", "#8f9d3c", "#3f9673", "#2c7fb8"];
const OUTLIER = ["#7f8fa9", "#6b82c9", "#8468cf", "#ad52b5", "#d03c78", "#e0352b"];

/** The points and groups; null when they cannot be had. */
export const load = (run) => getJson(`${base}map/?run=${run}`);

export const places = (data) => [
  Float32Array.from(data.points, (point) => point.x),
  Float32Array.from(data.points, (point) => point.y),
];

function counted(points, keyOf) {
  const counts = new Map();
  for (const point of points) counts.set(keyOf(point), (counts.get(keyOf(point)) ?? 0) + 1);
  return counts;
}

/** One style for each of `groups`, and grey for none. */
function grouped(points, groups, keyOf, grey) {
  const counts = counted(points, keyOf);
  const entries = groups.map(({ label, title, colour }, i) => {
    return { key: label, title, colour, shape: i % 4, count: counts.get(label) ?? 0 };
  });
  return { entries: ranked(entries, counts.get(NONE) ?? 0, grey), keyOf };
}

/** By the groups of the batch. */
function byGroup({ points, groups }, grey) {
  return grouped(points, groups, (point) => point.group_label ?? NONE, grey);
}

/** By what the run proposed, where another one is active. */
function byRun({ points, proposed }, grey) {
  const keyOf = ({ run_label: label }) => (label === null || label < 0 ? NONE : String(label));
  return grouped(points, proposed, keyOf, grey);
}

function ranked(entries, unassigned, grey) {
  entries.sort((a, b) => b.count - a.count || a.title.localeCompare(b.title));
  return [{ key: NONE, title: "Unassigned", colour: grey, shape: 0, count: unassigned }, ...entries];
}

/** By a number: six steps from low to high. */
function byNumber({ points }, grey, { numberOf, low, high, colours, titleOf, missing }) {
  const keyOf = (point) => {
    const number = numberOf(point);
    if (number === null || number === undefined) return NONE;
    const place = Math.floor(((number - low) / (high - low)) * colours.length);
    return String(Math.min(colours.length - 1, Math.max(0, place)));
  };
  const counts = counted(points, keyOf);
  const step = (high - low) / colours.length;
  const entries = colours.map((colour, i) => {
    const title = titleOf(low + i * step, low + (i + 1) * step);
    return { key: String(i), title, colour, shape: 0, count: counts.get(String(i)) ?? 0 };
  });
  const none = { key: NONE, title: missing, colour: grey, shape: 0, count: counts.get(NONE) ?? 0 };
  return { entries: [none, ...entries], keyOf };
}

const WAYS = {
  group: byGroup,
  run: byRun,
  quality: (data, grey) => byNumber(data, grey, {
    numberOf: (point) => point.quality, low: 0, high: 100, colours: QUALITY, missing: "Not measured",
    titleOf: (from, to) => `Grade ${Math.round(from)} to ${Math.round(to)}`,
  }),
  outlier: (data, grey) => byNumber(data, grey, {
    numberOf: (point) => point.outlier_score, low: 0, high: 1, colours: OUTLIER, missing: "Unknown",
    titleOf: (from, to) => `${from.toFixed(2)} to ${to.toFixed(2)}`,
  }),
};

export const TITLES = {
  group: "Groups",
  run: "Proposed groups",
  quality: "Quality (100 is best)",
  outlier: "Outlier score (1 is farthest out)",
};

/** The legend of a way of colouring, and for every point the place of its line in it. */
export function coloured(data, way, grey) {
  const { entries, keyOf } = WAYS[way](data, grey);
  const placeOf = new Map(entries.map(({ key }, i) => [key, i]));
  const styleOf = Uint16Array.from(data.points, (point) => placeOf.get(keyOf(point)) ?? GREY);
  return { entries, styleOf };
}

function ranking(numbers, share) {
  numbers.sort((a, b) => a - b);
  return numbers[Math.floor((numbers.length - 1) * share)];
}

/** Where the names of the lines of the legend stand: over the upper end of their points. */
export function titles(data, { entries, styleOf }, focus) {
  const members = entries.map(() => []);
  styleOf.forEach((style, i) => members[style].push(data.points[i]));
  return entries.flatMap(({ key, title }, i) => (key === NONE || !members[i].length ? [] : [{
    text: title.length > 28 ? `${title.slice(0, 27)}…` : title,
    x: ranking(members[i].map((point) => point.x), 0.5),
    y: ranking(members[i].map((point) => point.y), 0.95),
    isDimmed: focus.size > 0 && !focus.has(key),
  }]));
}
