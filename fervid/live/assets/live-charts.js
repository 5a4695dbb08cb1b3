"use strict";
// The charts of one source over the last minutes.

const width = (share) => `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
const KEPT_S = 300, LEAST_S = 30, LANE = 22, FOOT = 34, MOST_LANES = 6, STRIPS = 36, NOISE_HEIGHT = 236;

// Seconds as 1:02 or 1:02:03.
function clock(seconds) {
  const all = Math.max(0, Math.round(seconds)), h = Math.floor(all / 3600), m = Math.floor((all % 3600) / 60);
  const s = String(all % 60).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

const largest = (p) => p.indexOf(Math.max(...p));

class Charts {
  // `place` gets the charts, `about` has colours, kinds and the seconds of a point.
  constructor(place, about) {
    this.about = about;
    this.points = [];
    this.classes = [];
    this.plots = {};
    this.track = null;
    this.moment = element("p", { class: "moment", "aria-live": "polite" });
    const chart = (id, caption) => {
      const box = element("div", { class: "chart", tabindex: "0", role: "img", "aria-label": caption });
      box.addEventListener("keydown", (event) => this.keys(event));
      this[id] = box;
      return element("div", {}, element("p", { class: "caption", text: caption }), box);
    };
    place.append(
      element("div", {}, chart("lanes", "Label of each face; thin where it is uncertain"),
        chart("chances", "Probabilities of one face, in per cent")),
      element("div", {}, chart("noise", "Noise (severity; its worst dashed), above it kind and filter"), this.moment),
    );
    this.kinds = element("span", { class: "kinds" });
    this.noise.previousElementSibling.append(this.kinds);
    this.caption = this.chances.previousElementSibling;
    new ResizeObserver(() => this.draw(true)).observe(place);
    darkPage.addEventListener("change", () => this.draw(true));
  }

  add(points) {
    const last = this.points.at(-1);
    if (last && points[0].t < last.t) this.points = []; // another beginning
    this.points.push(...points);
    const from = this.points.at(-1).t - KEPT_S;
    while (this.points[0].t < from) this.points.shift();
  }

  get view() {
    const last = this.points.at(-1)?.t ?? LEAST_S, first = this.points[0]?.t ?? 0;
    return [first, Math.max(last, first + LEAST_S)];
  }

  // Points with an empty one in each gap, so that no line crosses it.
  get spread() {
    const out = [];
    for (const point of this.points) {
      const before = out.at(-1);
      if (before && point.t - before.t > 3 * this.about.step_s) out.push({ t: before.t + this.about.step_s, faces: {} });
      out.push(point);
    }
    return out;
  }

  draw(anew = false) {
    if (!this.points.length || !this.classes.length || !this.lanes.clientWidth) return;
    const points = this.spread, seen = new Map();
    for (const point of points) for (const id of Object.keys(point.faces)) seen.set(id, (seen.get(id) ?? 0) + 1);
    const recent = points.slice(-10).flatMap((point) => Object.keys(point.faces));
    const ids = [...new Set(recent.reverse())].concat([...seen.keys()].reverse());
    this.shown = [...new Set(ids)].slice(0, MOST_LANES).sort((a, b) => a - b);
    if (!recent.includes(this.track)) {
      const now = points.slice(-4).flatMap((point) => Object.keys(point.faces));
      this.track = now.sort((a, b) => seen.get(b) - seen.get(a))[0] ?? this.track;
    }
    this.caption.textContent = this.track == null ? "Probabilities: no face yet" : `Probabilities of face #${this.track}, in per cent`;
    this.drawn = points;
    const times = points.map((point) => point.t);
    const rows = Math.max(1, this.shown.length);
    this.plot("lanes", FOOT + LANE * rows, [times, times.map(() => null)], anew || rows !== this.rows, () => this.lanesLook(rows));
    this.rows = rows;
    const chances = this.classes.map((_, k) => points.map((point) => {
      const face = point.faces[this.track];
      return face ? face.p[k] * 100 : null;
    }));
    this.plot("chances", 170, [times, ...chances], anew, () => this.chancesLook());
    this.plot("noise", NOISE_HEIGHT, [times, ...["severity", "worst"].map((name) => points.map((point) => point[name] ?? null))], anew, () => this.noiseLook());
  }

  plot(id, height, data, anew, look) {
    const place = this[id];
    if (anew || !this.plots[id]) {
      this.plots[id]?.destroy();
      this.plots[id] = new uPlot(this.frame(place, height, look()), data, place);
    } else this.plots[id].setData(data);
  }

  frame(place, height, look) {
    const axis = { stroke: css("--ink-2"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
    return {
      width: place.clientWidth, height, legend: { show: false }, padding: [8, 10, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: false, range: () => this.view }, y: look.y },
      axes: [{ ...axis, size: 26, values: (u, splits) => splits.map(clock) }, { ...axis, size: 44, ...look.axis }],
      series: [{}, ...look.series],
      hooks: {
        drawClear: [(u) => this.gaps(u)],
        draw: look.over ? [look.over] : [],
        setCursor: [(u) => u.cursor.event && u.cursor.left >= 0 && this.point(u.posToIdx(u.cursor.left), u)],
      },
    };
  }

  lanesLook(rows) {
    return {
      series: [{ points: { show: false } }],
      y: { range: [0, rows], dir: -1 },
      axis: {
        splits: () => this.shown.map((_, n) => n + 0.5),
        values: () => this.shown.map((id) => `#${id}`),
        grid: { show: false },
      },
      over: (u) => this.paint(u, (x) => this.shown.forEach((id, row) => {
        const high = u.bbox.height / rows, top = u.bbox.top + row * high;
        this.runs((point) => {
          const face = point.faces[id];
          return face ? largest(face.p) * 2 + (face.unsure >= 0.5) : null;
        }, (from, to, value) => {
          const unsure = value % 2, tall = high * (unsure ? 0.28 : 0.78);
          u.ctx.globalAlpha = unsure ? 0.65 : 1;
          this.block(u, x(from), x(to), top + (high - tall) / 2, tall, this.colour(value >> 1), unsure ? "" : this.classes[value >> 1]);
        });
      })),
    };
  }

  chancesLook() {
    return {
      series: this.classes.map((name, k) => ({
        label: name, stroke: this.colour(k), width: 2, dash: k > 3 ? [7, 3] : undefined, points: { show: false },
      })),
      y: { range: [0, 100] }, axis: {},
    };
  }

  noiseLook() {
    this.kinds.replaceChildren(...this.about.kinds.map((kind, n) => {
      const swatch = element("span", { class: "swatch" });
      swatch.style.background = shade(KIND_COLOURS[n]);
      return element("span", {}, swatch, words(kind));
    }));
    const k = STRIPS / (NOISE_HEIGHT - FOOT), blue = shade("#4a90d9");
    return {
      series: [
        { stroke: blue, width: 2, fill: css("--fill"), points: { show: false } },
        { stroke: blue, width: 1, dash: [4, 4], points: { show: false } },
      ],
      y: { range: (u, low, high) => [0, Math.max(0.1, high) / (1 - k)] }, axis: {},
      over: (u) => this.paint(u, (x) => {
        const px = devicePixelRatio, high = 15 * px, { kinds } = this.about;
        this.runs((point) => point.kind ?? null, (from, to, kind) =>
          this.block(u, x(from), x(to), u.bbox.top, high, shade(KIND_COLOURS[kind]), words(kinds[kind])));
        this.runs((point) => point.filter ?? null, (from, to, name) =>
          this.block(u, x(from), x(to), u.bbox.top + high + 2 * px, high, shade(name === "none" ? "#8a948c" : "#2fa58c"), name === "none" ? "no filter" : name));
        u.ctx.fillStyle = css("--bad");
        for (const point of this.drawn) {
          if (point.dropped) u.ctx.fillRect(x(point.t), u.bbox.top + u.bbox.height - 6 * px, 2 * px, 6 * px);
        }
      }),
    };
  }

  colour(k) {
    return shade(this.about.colours[k % this.about.colours.length]);
  }

  paint(u, work) {
    const { left, top, width, height } = u.bbox, { min, max } = u.scales.x;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    work((t) => left + ((t - min) / (max - min)) * width);
    u.ctx.restore();
  }

  // Calls `found(from, to, value)` for each run of points with the same value; null is none.
  runs(valueOf, found) {
    const half = this.about.step_s / 2;
    let from = 0, to = 0, value = null;
    for (const point of this.drawn ?? []) {
      const here = valueOf(point);
      const start = point.t - half, joined = start - to < 2.5 * this.about.step_s;
      if (here !== value || !joined) {
        if (value !== null) found(from, joined ? start : to, value);
        [from, value] = [start, here];
      }
      to = point.t + half;
    }
    if (value !== null) found(from, to, value);
  }

  block(u, left, right, top, high, colour, name) {
    const { ctx } = u, px = devicePixelRatio, from = Math.max(u.bbox.left, left);
    ctx.fillStyle = colour;
    ctx.fillRect(from, top, Math.max(1, right - from), high);
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ctx.font = `${11 * px}px system-ui, sans-serif`;
    ctx.fillStyle = darkPage.matches ? "#111" : "#fff";
    if (name && ctx.measureText(name).width + 8 * px < right - from) ctx.fillText(name, from + 4 * px, top + high / 2 + px);
  }

  choose(track) {
    this.track = track;
    this.draw();
  }

  // What lies between two points that are far apart: the source was away.
  gaps(u) {
    if (!this.drawn) return;
    this.paint(u, (x) => {
      u.ctx.fillStyle = css("--unsure");
      for (let i = 1; i < this.points.length; i++) {
        const from = this.points[i - 1].t, to = this.points[i].t;
        if (to - from > 3 * this.about.step_s) u.ctx.fillRect(x(from), u.bbox.top, x(to) - x(from), u.bbox.height);
      }
    });
  }

  // Tells one moment, and moves the cursor of all charts there.
  point(index, from = null) {
    const point = this.drawn?.[index];
    if (!point || this.leading) return;
    this.at = index;
    this.leading = true;
    for (const u of Object.values(this.plots)) if (u !== from) u.setCursor({ left: u.valToPos(point.t, "x"), top: 4 });
    this.leading = false;
    const faces = Object.entries(point.faces).map(([id, face]) => {
      const k = largest(face.p);
      return `#${id} ${this.classes[k]} ${percent(face.p[k])}${face.unsure >= 0.5 ? " uncertain" : ""}`;
    });
    const noise = point.kind === undefined ? "away" : `${words(this.about.kinds[point.kind])} (severity ${point.severity.toFixed(3)}), filter ${point.filter}`;
    this.moment.textContent = [clock(point.t), noise, faces.length ? faces.join(", ") : "no face", point.dropped ? `${point.dropped} dropped` : ""].filter(Boolean).join(" · ");
  }

  keys(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.drawn) return;
    event.preventDefault();
    const last = this.drawn.length - 1;
    this.point(Math.min(last, Math.max(0, (this.at ?? last + 1) + step)));
  }
}
