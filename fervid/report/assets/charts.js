"use strict";
// The three charts over time. They share their view and their cursor.

const FILTER_COLOURS = [...KIND_COLOURS, "#2fa58c"];
const LANE = 24, FOOT = 34, NOISE_HEIGHT = 190, STRIPS = 38;
const whole = [firstTime - step / 2, lastTime + step / 2];

const charts = {}; // by the id of their element
let view = [...whole];
let cursorTime = firstTime;
let lanes = []; // the tracks that are drawn, joined ones as one
let person = null; // whose probabilities are drawn
let leading = false; // whether one chart is being moved by another

const classColour = (k) => shade(report.colours[k]);

function chart(id, height, more) {
  charts[id]?.destroy();
  const place = byId(id);
  const axis = { stroke: css("--ink-2"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
  const digits = () => (view[1] - view[0] < 20 ? 1 : 0);
  charts[id] = new uPlot({
    width: place.clientWidth,
    height,
    legend: { show: false },
    padding: [8, 10, 0, 0],
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      bind: { dblclick: () => () => setView(whole) },
    },
    scales: { x: { time: false, range: () => [...view] }, y: more.y },
    axes: [
      { ...axis, size: 26, values: (u, splits) => splits.map((t) => clock(t, digits())) },
      { ...axis, size: 64, ...more.axis },
    ],
    series: [{}, ...more.series],
    bands: more.bands,
    hooks: {
      drawClear: more.under ? [more.under] : [],
      draw: more.over ? [more.over] : [],
      setSelect: [(u) => {
        if (u.select.width < 4) return;
        const left = u.posToVal(u.select.left, "x");
        const right = u.posToVal(u.select.left + u.select.width, "x");
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        setView([left, right]);
      }],
      setCursor: [(u) => {
        if (!leading && u.cursor.event && u.cursor.left >= 0) setCursor(u.posToVal(u.cursor.left, "x"), u);
      }],
    },
  }, more.data, place);
  charts[id].batch(() => charts[id].setScale("x", { min: view[0], max: view[1] }));
}

function setView([from, to]) {
  const least = Math.max(4 * step, 0.05), all = whole[1] - whole[0];
  const width = Math.min(all, Math.max(least, to - from));
  const start = Math.min(Math.max(whole[0], (from + to - width) / 2), whole[1] - width);
  view = [start, start + width];
  leading = true;
  for (const u of Object.values(charts)) {
    u.batch(() => u.setScale("x", { min: view[0], max: view[1] })); // now, not with the next frame
  }
  leading = false;
  setCursor(Math.min(view[1], Math.max(view[0], cursorTime)));
}

function setCursor(t, from = null) {
  cursorTime = t;
  leading = true;
  for (const u of Object.values(charts)) {
    if (u !== from) u.setCursor({ left: u.valToPos(t, "x"), top: u.cursor.top < 0 ? 4 : u.cursor.top });
  }
  leading = false;
  tell(t);
}

// Wide as the page: sizes follow it.
function fit() {
  for (const [id, u] of Object.entries(charts)) u.setSize({ width: byId(id).clientWidth, height: u.height });
}

// A function of canvas pixels by seconds, for the part that is seen.
function across(u) {
  const { left, width } = u.bbox, { min, max } = u.scales.x;
  return (t) => left + ((t - min) / (max - min)) * width;
}

function clipped(u, paint) {
  const { left, top, width, height } = u.bbox;
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(left, top, width, height);
  u.ctx.clip();
  paint(u.ctx, across(u));
  u.ctx.restore();
}

// A coloured piece of a strip, with its name in it where that has room.
function block(u, [from, to], top, high, colour, name) {
  const { ctx } = u, px = devicePixelRatio;
  const left = Math.max(u.bbox.left, from), right = Math.min(u.bbox.left + u.bbox.width, to);
  ctx.fillStyle = colour;
  ctx.fillRect(left, top, Math.max(1, right - left), high);
  if (!name || right - left < 20 * px) return;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.font = `${11 * px}px system-ui, sans-serif`;
  ctx.fillStyle = darkPage.matches ? "#111" : "#fff";
  if (ctx.measureText(name).width + 8 * px < right - left) ctx.fillText(name, left + 4 * px, top + high / 2 + px);
}

// Calls `found(from, to, value)` for each run of points with the same value, in the part seen.
function runs(times, valueOf, found) {
  const first = Math.max(0, placeOf(times, view[0] - gap)), last = placeOf(times, view[1] + gap);
  let from = 0, to = 0, value;
  for (let i = first; i <= last; i++) {
    const here = valueOf(i), start = times[i] - step / 2;
    if (i > first && here === value && start - to <= gap - step) {
      to = times[i] + step / 2;
      continue;
    }
    if (i > first) found(from, to, value);
    from = i > first && start - to <= gap - step ? to : start;
    to = times[i] + step / 2;
    value = here;
  }
  if (last >= first) found(from, to, value);
}

function drawLanes() {
  const rows = Math.max(1, lanes.length);
  chart("lanes", FOOT + LANE * rows, {
    data: [frames.time_s, new Array(frames.n).fill(null)],
    series: [{ points: { show: false } }],
    y: { range: [0, rows], dir: -1 },
    axis: {
      splits: () => lanes.map((_, n) => n + 0.5),
      values: () => lanes.map((lane) => (lane.name.length > 9 ? `${lane.name.slice(0, 8)}…` : lane.name)),
      grid: { show: false },
    },
    over: (u) => clipped(u, (ctx, x) => lanes.forEach((lane, row) => {
      const high = u.bbox.height / rows, top = u.bbox.top + row * high;
      runs(lane.time, (i) => largest(lane, i) * 2 + (lane.uncertain[i] >= 0.5), (from, to, value) => {
        const unsure = value % 2, tall = high * (unsure ? 0.26 : 0.74), name = report.classes[value >> 1];
        ctx.globalAlpha = unsure ? 0.6 : 1;
        block(u, [x(from), x(to)], top + (high - tall) / 2, tall, classColour(value >> 1), unsure ? "" : name);
      });
    })),
  });
}

// Times and series as a chart's columns, with an empty place in each gap.
function columns(times, series) {
  const given = [times, ...series], made = given.map(() => []);
  for (let i = 0; i < times.length; i++) {
    if (i && times[i] - times[i - 1] > gap) {
      made.forEach((column, c) => column.push(c ? null : times[i - 1] + step / 2));
    }
    given.forEach((values, c) => made[c].push(values[i]));
  }
  return made;
}

const hidden = new Set(); // series that were switched off, by name

function drawClasses() {
  const k = report.classes.length, none = { stroke: "transparent", points: { show: false } };
  const line = (name, c) => ({
    label: name, stroke: classColour(c), width: 2, dash: c > 3 ? [7, 3] : undefined,
    points: { show: false }, show: !hidden.has(name),
  });
  chart("classes", 230, {
    data: person ? columns(person.time, [...person.p, person.highest, person.lowest].map((p) => p.map((v) => v * 100))) : [[], ...report.classes.map(() => []), [], []],
    series: [...report.classes.map(line), none, none],
    bands: [{ series: [k + 1, k + 2], fill: css("--band") }],
    y: { range: [0, 100] },
    axis: {},
    under: (u) => person && clipped(u, (ctx, x) => runs(person.time, (i) => person.uncertain[i] >= 0.5, (from, to, unsure) => {
      if (!unsure) return;
      ctx.fillStyle = css("--unsure");
      ctx.fillRect(x(from), u.bbox.top, Math.max(1, x(to) - x(from)), u.bbox.height);
    })),
  });
  legend("classes", report.classes.map((name, c) => [name, classColour(c), c + 1]));
}

const QUALITY = [["severity", 0], ["worst", 0], ["blur", 1], ["darkness", 2], ["blocking", 3]];
const QUALITY_COLOURS = ["#4a90d9", "#2fa58c", "#a06cc8", "#e08a2c"];

function drawNoise() {
  const k = STRIPS / (NOISE_HEIGHT - FOOT);
  chart("noise", NOISE_HEIGHT, {
    data: columns(frames.time_s, QUALITY.map(([name]) => frames[name] ?? [])),
    series: QUALITY.map(([name, c], n) => ({
      label: name,
      stroke: shade(QUALITY_COLOURS[c]),
      width: n === 1 ? 1 : 2,
      dash: n === 1 ? [4, 4] : undefined,
      fill: n === 0 ? css("--fill") : undefined,
      points: { show: false },
      show: !hidden.has(name),
    })),
    y: { range: (u, low, high) => [0, Math.max(0.1, high) / (1 - k)] },
    axis: {},
    over: (u) => clipped(u, (ctx, x) => {
      const px = devicePixelRatio, high = 15 * px;
      const strip = (codes, colours, names, top) => runs(frames.time_s, (i) => codes[i], (from, to, code) =>
        block(u, [x(from), x(to)], top, high, shade(colours[code]), words(names[code])));
      if (!frames.n) return;
      strip(frames.kind, KIND_COLOURS, report.kinds, u.bbox.top);
      strip(frames.filter, FILTER_COLOURS, report.filter_names, u.bbox.top + high + 2 * px);
      ctx.fillStyle = css("--bad");
      frames.dropped.forEach((n, i) => {
        if (n > 0) ctx.fillRect(x(frames.time_s[i]), u.bbox.top + u.bbox.height - 7 * px, 2 * px, 7 * px);
      });
    }),
  });
  legend("noise", QUALITY.map(([name, c], n) => [name, shade(QUALITY_COLOURS[c]), n + 1]));
}
