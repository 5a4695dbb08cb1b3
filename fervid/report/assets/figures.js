"use strict";
// The figures of the report, unpacked.

const report = JSON.parse(document.getElementById("data").textContent);

function raw(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

const floats = (text) => new Float32Array(raw(text).buffer);
const shares = (text) => Float32Array.from(raw(text), (v) => v / report.full);

// Seconds as 1:02.3; hours where there are any.
function clock(seconds, digits = 1) {
  const sign = seconds < 0 ? "-" : "";
  const all = Number(Math.abs(seconds).toFixed(digits)); // now, or 59.97 would be 0:60.0
  const h = Math.floor(all / 3600), m = Math.floor((all % 3600) / 60);
  const s = (all % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return `${sign}${h ? `${h}:${String(m).padStart(2, "0")}` : m}:${s}`;
}

function unpackTrack(packed) {
  return {
    ids: [packed.id],
    name: `#${packed.id}`,
    n: packed.n,
    frames: floats(packed.frames),
    time: floats(packed.time_s),
    highest: shares(packed.highest),
    lowest: shares(packed.lowest),
    uncertain: shares(packed.uncertain),
    why: packed.why.map(shares),
    p: packed.p.map(shares),
  };
}

const tracks = report.tracks.map(unpackTrack);

// Several tracks as one: in the order of time; where two are there at once, the mean by frames.
function joined(parts) {
  const points = parts.flatMap((track) => Array.from(track.time, (t, i) => ({ t, track, i })));
  points.sort((a, b) => a.t - b.t);
  const groups = [];
  let bucket = null;
  for (const point of points) {
    const place = Math.floor((point.t - report.begin_s) / report.width_s + 1e-6);
    if (place !== bucket) groups.push([]);
    bucket = place;
    groups.at(-1).push(point);
  }
  const mean = (pick) => Float32Array.from(groups, (group) => {
    let sum = 0, n = 0;
    for (const { track, i } of group) {
      sum += pick(track)[i] * track.frames[i];
      n += track.frames[i];
    }
    return sum / n;
  });
  const extreme = (pick, of) =>
    Float32Array.from(groups, (group) => of(...group.map(({ track, i }) => pick(track)[i])));
  return {
    ids: parts.flatMap((track) => track.ids),
    name: parts.map((track) => track.name).join("+"),
    n: groups.length,
    frames: Float32Array.from(groups, (g) => g.reduce((n, { track, i }) => n + track.frames[i], 0)),
    time: mean((track) => track.time),
    highest: extreme((track) => track.highest, Math.max),
    lowest: extreme((track) => track.lowest, Math.min),
    uncertain: mean((track) => track.uncertain),
    why: report.reasons.map((_, k) => mean((track) => track.why[k])),
    p: report.classes.map((_, k) => mean((track) => track.p[k])),
  };
}

const frames = report.frames.n
  ? Object.fromEntries(Object.entries(report.frames).map(([name, packed]) => [
      name,
      name === "n" ? packed : name === "kind" || name === "filter" ? raw(packed) : floats(packed),
    ]))
  : { n: 0, time_s: new Float32Array(0) };
const firstTime = frames.n ? frames.time_s[0] : 0;
const lastTime = frames.n ? frames.time_s[frames.n - 1] : 1;

// The place of the largest time that is not after this one; -1 where there is none.
function placeOf(times, t) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The point of a series that is drawn at a time; -1 in a gap.
function pointAt(times, t) {
  const before = placeOf(times, t);
  const best = before + 1 < times.length &&
    (before < 0 || times[before + 1] - t < t - times[before]) ? before + 1 : before;
  return best >= 0 && Math.abs(times[best] - t) <= gap ? best : -1;
}

function largest(track, i) {
  let best = 0;
  for (let k = 1; k < track.p.length; k++) if (track.p[k][i] > track.p[best][i]) best = k;
  return best;
}

// The usual distance of two points; half as much again is a gap. Hours in which a live source was away
// stretch the mean.
const distances = frames.time_s.slice(1).map((t, i) => t - frames.time_s[i]).sort();
const step = Math.max(report.width_s, frames.n < 2 ? 0.04
  : Math.min((lastTime - firstTime) / (frames.n - 1), distances[Math.floor((frames.n - 2) * 0.75)]));
const gap = 1.6 * step;
