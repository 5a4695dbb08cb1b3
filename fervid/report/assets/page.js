"use strict";
// What is told beside the charts; and the start.

const MOST_LANES = 12; // drawn at first: the longest
const shown = new Set([...tracks].sort((a, b) => b.n - a.n).slice(0, MOST_LANES).map((t) => t.ids[0]));
const same = new Set(); // tracks that the reader says are one person
const summary = report.summary;

const heading = (...names) =>
  element("tr", {}, ...names.map((text) => element("th", { scope: "col", text })));

function bar(share, kind = "") {
  const made = element("span", { class: `fill ${kind}` });
  made.style.width = `${Math.min(100, share * 100)}%`;
  return made;
}

function card(value, what) {
  return element("div", { class: "card" }, element("b", { text: value }), element("span", { text: what }));
}

// Shares by name, the largest first: an object has names that are numbers in the order of these.
const ranked = (shares) => Object.entries(shares ?? {}).sort((a, b) => b[1] - a[1]);

function fillHead() {
  const { source } = report;
  const size = source.width ? `${source.width} x ${source.height}` : "";
  byId("facts").textContent = [
    size, source.codec, source.live ? "live" : "", report.started && `0 s was ${report.started}`,
    `${summary.frames} frames in ${clock(summary.duration_s ?? 0)}`,
  ].filter(Boolean).join(" · ");
  if (summary.error) {
    byId("problem").hidden = false;
    byId("problem").textContent = `The run ended early: ${summary.error}`;
  }
  const [label] = ranked(summary.labels);
  const [noise] = ranked(summary.noise);
  const cards = [
    label ? card(label[0], `the commonest label, ${percent(label[1])} of ${summary.faces} faces`) : card("none", "no face was found"),
    card(percent(summary.uncertain?.share ?? 0), "of the labels are uncertain"),
    card(String(summary.tracks), "faces followed (tracks)"),
    card(percent(summary.frames_with_faces / Math.max(1, summary.frames)), "of the frames have a face"),
  ];
  if (noise) cards.push(card(words(noise[0]), `the commonest kind of noise, ${percent(noise[1])} of the frames`));
  byId("cards").replaceChildren(...cards);
}

function fillSure() {
  const totals = report.confidences[0].map((n, i) => n + report.confidences[1][i]);
  const most = Math.max(1, ...totals), all = totals.reduce((a, b) => a + b, 0);
  byId("histogram").setAttribute("aria-label", `Histogram of ${all} confidences`);
  byId("histogram").replaceChildren(...totals.map((n, i) => {
    const from = (i * 100) / report.bins, unsure = report.confidences[1][i];
    const column = element("div", {
      class: "column",
      title: `${from} to ${from + 100 / report.bins} %: ${n} faces, ${unsure} of them uncertain`,
    }, ...[[n - unsure, "certain"], [unsure, "unsure"]].map(([count, kind]) => {
      const part = element("span", { class: kind });
      part.style.height = `${(count / most) * 100}%`;
      return part;
    }));
    if (i % 4 === 0) column.append(element("i", { text: `${from}` }));
    if (i + 1 === report.bins) column.append(element("i", { class: "end", text: "100" }));
    return column;
  }));
  const peak = totals.indexOf(most);
  byId("peak").textContent = all
    ? `In per cent; the grey part is uncertain. The highest column is ${most} of ${all}, at ${(peak * 100) / report.bins} to ${((peak + 1) * 100) / report.bins} %.`
    : "There are none.";
  const { share = 0, reasons = {} } = summary.uncertain ?? {};
  const rows = [["uncertain", share], ...report.reasons.map((reason) => [reason, reasons[reason] ?? 0])];
  byId("why").replaceChildren(...rows.map(([name, part], n) => element("tr", { class: n ? "" : "total" },
    element("th", { scope: "row", text: n ? name : "uncertain in all" }),
    element("td", { class: "bar" }, bar(part)),
    element("td", { text: percent(part, 1) }))));
}

function fillSpeed() {
  const stages = Object.entries(summary.stages_ms ?? {});
  const parts = [
    summary.fps ? `${summary.fps.toFixed(1)} frames a second` : "",
    summary.elapsed_s ? `${clock(summary.elapsed_s)} for ${clock(summary.duration_s)}` : "",
    `${summary.dropped} frames dropped${summary.drops?.offline ? ` because a newer one was there, about ${summary.drops.offline} lost while the source was offline` : ""}`,
    summary.damaged ? `${summary.damaged} damaged` : "",
  ];
  byId("speed").textContent = `${parts.filter(Boolean).join(", ")}.${stages.length ? "" : " How long each stage took was not written down."}`;
  byId("stages").replaceChildren(...(stages.length ? [heading("stage", "half of the frames, ms", "95 of 100", "99 of 100")] : []),
    ...stages.map(([name, ms]) => element("tr", {}, element("th", { scope: "row", text: name }),
      ...Object.values(ms).map((value) => element("td", { text: value.toFixed(1) })))));
}

function fillMade() {
  const model = `${summary.model}${summary.device ? ` on ${summary.device}` : ""}`;
  byId("made").textContent = `fervid ${summary.fervid}, model ${model}, sha256 ${summary.model_sha256 || "unknown"}.`;
  byId("config").textContent = JSON.stringify(report.config, null, 1);
  const each = frames.n ? summary.frames / frames.n : 1;
  byId("sampling").textContent = each < 1.5
    ? "Each point is one frame."
    : `Each point is the mean of ${each.toFixed(each < 10 ? 1 : 0)} frames (${report.width_s.toFixed(2)} s); the grey band reaches from the lowest to the highest confidence in it, the dashed line is the worst noise. faces.parquet has every frame.`;
}

function fillTracks() {
  const known = new Map(summary.per_track.map((about) => [about.track, about]));
  const tick = (set, id, what) => {
    const box = element("input", { type: "checkbox", "aria-label": `${what} #${id}` });
    box.checked = set.has(id);
    box.addEventListener("change", () => {
      if (box.checked) set.add(id);
      else set.delete(id);
      arrange();
    });
    return box;
  };
  const row = (track) => {
    const [id] = track.ids, about = known.get(id) ?? { labels: {}, uncertain: 0, frames: 0 };
    const labels = ranked(about.labels).slice(0, 3).map(([name, share]) => `${name} ${percent(share)}`);
    return element("tr", {},
      element("td", {}, tick(shown, id, "draw")),
      element("td", {}, tick(same, id, "same person")),
      element("th", { scope: "row", text: track.name }),
      element("td", { text: clock(track.time[0]) }),
      element("td", { text: clock(track.time[track.n - 1]) }),
      element("td", { text: String(about.frames) }),
      element("td", { class: "wide", text: labels.join(", ") }),
      element("td", { text: percent(about.uncertain) }));
  };
  byId("tracks").replaceChildren(
    heading("draw", "same person", "track", "from", "to", "frames", "labels", "uncertain"), ...tracks.map(row));
  byId("left-out").textContent = report.forgotten
    ? `${report.forgotten} shorter tracks are left out here; faces.parquet has them.`
    : "";
}

// Put together what is drawn: the tracks that are ticked, those of one person as one.
function arrange() {
  const parts = tracks.filter((track) => same.has(track.ids[0]));
  const one = parts.length > 1 ? [joined(parts)] : [];
  const rest = tracks.filter((track) => shown.has(track.ids[0]) && !(one.length && same.has(track.ids[0])));
  lanes = [...one, ...rest];
  byId("who").replaceChildren(...lanes.map((lane, n) => element("option", { value: n, text: lane.name })));
  const kept = lanes.find((lane) => person && lane.ids.some((id) => person.ids.includes(id)));
  drawLanes();
  choose(one[0] ?? kept ?? [...lanes].sort((a, b) => b.n - a.n)[0] ?? null);
}

function choose(lane) {
  person = lane;
  byId("who").value = String(lanes.indexOf(lane));
  drawClasses();
  setCursor(cursorTime);
}

// What is known of one moment.
function tell(t) {
  const i = pointAt(frames.time_s, t);
  const level = i < 0 ? 0 : [0, frames.sigma[i], frames.impulse[i], frames.speckle[i]][frames.kind[i]];
  const parts = [element("b", { text: clock(t, 2) })];
  if (i >= 0) {
    const kind = words(report.kinds[frames.kind[i]]) + (frames.kind[i] ? ` ${level.toFixed(3)}` : "");
    const drops = frames.dropped[i] ? `, ${frames.dropped[i]} dropped` : "";
    parts.push(element("span", { text: `noise ${kind}, filter ${report.filter_names[frames.filter[i]]}${drops}` }));
  }
  for (const lane of lanes) {
    const n = pointAt(lane.time, t);
    if (n < 0) continue;
    const k = largest(lane, n), why = report.reasons.filter((_, r) => lane.why[r][n] >= 0.5);
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = classColour(k);
    const unsure = lane.uncertain[n] >= 0.5 ? ` uncertain${why.length ? `: ${why.join(", ")}` : ""}` : "";
    const classes = lane === person
      ? report.classes.map((name, c) => [name, lane.p[c][n]]).sort((a, b) => b[1] - a[1]).slice(1, 3)
        .map(([name, p]) => ` · ${name} ${percent(p)}`).join("")
      : "";
    parts.push(element("span", { class: lane === person ? "person" : "" }, swatch,
      `${lane.name} ${report.classes[k]} ${percent(lane.p[k][n])}${classes}`,
      element("em", { text: unsure })));
  }
  byId("readout").replaceChildren(...parts);
}

function start() {
  fillHead();
  fillSure();
  fillSpeed();
  fillMade();
  fillTracks();
  fillFaces();
  fillMap();
  drawNoise();
  arrange();
  byId("who").addEventListener("change", (event) => choose(lanes[Number(event.target.value)]));
  const zoom = (factor) => {
    const middle = (view[0] + view[1]) / 2, half = ((view[1] - view[0]) / 2) * factor;
    setView([middle - half, middle + half]);
  };
  byId("closer").addEventListener("click", () => zoom(0.6));
  byId("wider").addEventListener("click", () => zoom(1 / 0.6));
  byId("whole").addEventListener("click", () => setView(whole));
  for (const id of ["lanes", "classes", "noise"]) byId(id).addEventListener("keydown", keys);
  new ResizeObserver(fit).observe(document.querySelector("main"));
  darkPage.addEventListener("change", () => {
    drawNoise();
    arrange();
    tiles.forEach((draw) => draw());
    if (report.attention) drawMap();
  });
  document.documentElement.dataset.ready = "yes";
}

start();
