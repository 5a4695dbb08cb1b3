"use strict";
// Pictures of faces with their heatmaps, and the mean map over the template.

const HEAT_OPACITY = 0.65, SIDE = 112;
const heatColours = raw(report.heat_colours);

// A heatmap as a small picture, as transparent as the overlay of the video makes it.
function heatPicture(values) {
  const side = Math.round(Math.sqrt(values.length));
  const canvas = element("canvas", { width: side, height: side });
  const pixels = new ImageData(side, side);
  values.forEach((heat, n) => {
    const at = Math.round(heat * 255) * 3;
    pixels.data.set([heatColours[at], heatColours[at + 1], heatColours[at + 2]], n * 4);
    pixels.data[n * 4 + 3] = heat ** 1.5 * HEAT_OPACITY * 255;
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function drawTemplate(ctx, side, named) {
  if (!report.attention) return;
  ctx.strokeStyle = css("--ink-2");
  ctx.fillStyle = css("--ink-2");
  ctx.lineWidth = 1.5;
  ctx.font = "12px system-ui, sans-serif";
  report.attention.template.forEach(([x0, y0, x1, y1], n) => {
    ctx.strokeRect(x0 * side, y0 * side, (x1 - x0) * side, (y1 - y0) * side);
    if (!named) return;
    const at = [report.attention.regions[n], x0 * side + 4, y0 * side + 13];
    ctx.save();
    [ctx.strokeStyle, ctx.fillStyle, ctx.lineWidth, ctx.lineJoin] = [css("--panel"), css("--ink"), 3, "round"];
    ctx.strokeText(...at); // an edge, so that it can be read on any heat
    ctx.fillText(...at);
    ctx.restore();
  });
}

const tiles = []; // functions that draw each tile anew

function tile(moment, note) {
  const canvas = element("canvas", { width: SIDE, height: SIDE });
  const face = moment.picture ? new Image() : null;
  const heat = moment.heat ? heatPicture(shares(moment.heat)) : null;
  const draw = () => {
    const ctx = canvas.getContext("2d");
    ctx.globalAlpha = 1;
    ctx.fillStyle = css("--panel-2");
    ctx.fillRect(0, 0, SIDE, SIDE);
    if (face) ctx.drawImage(face, 0, 0, SIDE, SIDE);
    ctx.globalAlpha = byId("strength").value / 100;
    if (heat) ctx.drawImage(heat, 0, 0, SIDE, SIDE);
    ctx.globalAlpha = 1;
    if (!face) drawTemplate(ctx, SIDE, false);
  };
  if (face) {
    face.onload = draw;
    face.src = moment.picture;
  }
  draw();
  tiles.push(draw);
  const where = `${clock(moment.time_s)} · #${moment.track}`;
  const why = moment.reasons.length ? `uncertain: ${moment.reasons.join(", ")}` : "";
  const then = moment.second ? `then ${moment.second[0]} ${percent(moment.second[1])}` : "";
  const map = report.maps.length > 1 && moment.map !== null ? report.maps[moment.map].words : "";
  const children = [
    element("span", { class: "where", text: where }),
    element("span", { class: "label", text: `${moment.label} ${percent(moment.confidence)}` }),
    ...[["second", then], ["before", note], ["why", why], ["which", map]]
      .filter(([, text]) => text).map(([name, text]) => element("span", { class: name, text })),
  ];
  if (face || heat) children.unshift(canvas);
  return element("button", { type: "button", class: "tile", title: "Show this moment above", onclick: () => goTo(moment) }, ...children);
}

function goTo(moment) {
  const track = lanes.find((lane) => lane.ids.includes(moment.track));
  if (track) choose(track);
  setView([moment.time_s - 5, moment.time_s + 5]);
  setCursor(moment.time_s);
  byId("h-time").scrollIntoView();
  byId("classes").focus({ preventScroll: true });
}

function fillFaces() {
  const note = (m) => (m.before ? `was ${m.before}` : "at first");
  const nothing = () => element("p", { class: "note", text: "None." });
  const fill = (id, moments, say) =>
    byId(id).replaceChildren(...(moments.length ? moments.map((m) => tile(m, say(m))) : [nothing()]));
  fill("changes", report.changes, note);
  fill("doubts", report.doubts, () => "");
  const drawn = [...report.changes, ...report.doubts];
  const hidden = report.n_changes - report.changes.length;
  const pictures = report.pictures
    ? "Faces as the frame had them, under their heatmaps, with the two most probable classes and their calibrated probabilities."
    : drawn.some((m) => m.heat)
      ? "This run was asked to show no faces, so the heatmaps lie over the template alone."
      : "This report was made from the rows of a run, which hold no pictures and no heatmaps.";
  const left = hidden > 0 ? ` ${report.changes.length} of ${report.n_changes} changes are shown; those that followed soonest are left out.` : "";
  byId("about-faces").textContent = `${pictures} A click shows the moment in the charts.${left}`;
  byId("map-tools").hidden = !drawn.some((m) => m.heat);
  fillLegend();
  byId("strength").addEventListener("input", () => tiles.forEach((draw) => draw()));
}

// Which maps the run had, and what their colours mean, on grey as on a face.
function fillLegend() {
  const { maps } = report;
  const named = maps.length > 1
    ? `Heatmaps of several kinds (each picture says which): ${maps.map((m) => `${m.words} (${percent(m.n / maps.reduce((sum, one) => sum + one.n, 0))})`).join("; ")}`
    : maps.length ? `Heatmap: ${maps[0].words}` : "";
  for (const id of ["which-map", "which-maps"]) byId(id).textContent = named;
  const notes = maps.map((m) => m.note).filter(Boolean);
  byId("chosen-map").hidden = !notes.length;
  byId("chosen-map").textContent = notes.join(" ");
  const canvas = document.querySelector("#map-colours canvas"), ctx = canvas.getContext("2d");
  const row = heatPicture(Float32Array.from({ length: 128 ** 2 }, (_, n) => (n % 128) / 127));
  const draw = () => {
    ctx.globalAlpha = 1;
    ctx.fillStyle = "#808080";
    ctx.fillRect(0, 0, 128, 1);
    ctx.globalAlpha = byId("strength").value / 100;
    ctx.drawImage(row, 0, 0);
  };
  draw();
  tiles.push(draw);
}

function fillMap() {
  const attention = report.attention;
  if (!attention) {
    byId("map-section").hidden = true;
    return;
  }
  const names = Object.keys(attention.classes);
  const options = [["", `all (${attention.all.n})`], ...names.map((name) => [name, `${name} (${attention.classes[name].n})`])];
  byId("map-class").replaceChildren(...options.map(([value, text]) => element("option", { value, text })));
  byId("map-class").addEventListener("change", drawMap);
  drawMap();
}

function drawMap() {
  const attention = report.attention, chosen = byId("map-class").value;
  const of = chosen ? attention.classes[chosen] : attention.all;
  const canvas = byId("map"), ctx = canvas.getContext("2d"), side = canvas.width;
  ctx.fillStyle = css("--panel-2");
  ctx.fillRect(0, 0, side, side);
  ctx.drawImage(heatPicture(of.map.map((v) => v / 100)), 0, 0, side, side);
  drawTemplate(ctx, side, true);
  const most = Math.max(...of.shares, ...attention.area);
  const row = (name, n) => element("tr", {},
    element("th", { scope: "row", text: name }),
    element("td", { class: "bar" }, bar(of.shares[n] / most), bar(attention.area[n] / most, "faint")),
    element("td", { text: percent(of.shares[n]) }),
    element("td", { text: percent(attention.area[n]) }));
  byId("regions").replaceChildren(heading("region", "", "of the map", "of the area"), ...attention.regions.map(row));
}
