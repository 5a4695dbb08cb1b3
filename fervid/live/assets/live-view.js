"use strict";
// One source on the page: its picture, faces, figures and charts.

const REASONS = { confidence: "low confidence", small: "face too small", blurred: "too blurred", dark: "too dark" };

const FEW = 2; // faces beside which the figures have room

class View {
  // `about` is what the server says first, `ask` asks for the next picture of a source.
  constructor(id, about, ask) {
    this.id = id;
    this.about = about;
    this.ask = ask;
    this.visible = this.asked = this.busy = false;
    this.faces = new Map();
    this.title = element("span", { class: "name" });
    this.badge = element("span", { class: "badge" });
    this.facts = element("span", { class: "facts" });
    this.outage = element("p", { class: "outage warning", hidden: "" });
    this.canvas = element("canvas", { role: "img", "aria-label": "The annotated picture", width: 16, height: 9 });
    this.legend = element("span");
    this.chosen = element("p", { class: "chosen warning", hidden: "" });
    this.bar = element("span");
    this.progress = element("div", { class: "progress", hidden: "" }, this.bar);
    this.list = element("div", { class: "faces", "aria-label": "Faces" });
    const full = element("button", { type: "button", class: "full", text: "full screen", title: "Full screen (f)", onclick: () => this.full() });
    this.last = element("span", { class: "last", hidden: "" });
    this.figure = element("figure", {}, element("div", { class: "screen" }, this.canvas, this.last, full), this.progress, element("figcaption", {}, this.legend, this.chosen));
    this.tiles = element("div", { class: "tiles" });
    this.left = element("div", {}, this.figure);
    this.scene = element("div", { class: "scene" }, this.left, element("div", { class: "side" }, this.list, this.tiles));
    this.history = element("div", { class: "charts" });
    this.stages = element("div", { class: "stages" });
    this.section = element("section", { id: `source-${id}`, tabindex: "-1" },
      element("h2", {}, this.title, this.badge, this.facts), this.outage, this.scene, this.history,
      element("details", { open: "" }, element("summary", { text: "Latency of each stage in ms: half of the frames, and 95 of 100" }), this.stages));
    this.charts = new Charts(this.history, about);
    new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      this.want();
      if (this.visible) this.charts.draw();
    }).observe(this.section);
  }

  // Ask for the next picture, if anybody sees it.
  want() {
    if (this.visible && !this.asked && !document.hidden && this.pictures) this.asked = this.ask(this.id);
  }

  async show(bytes) {
    try {
      const picture = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
      if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
        [this.canvas.width, this.canvas.height] = [picture.width, picture.height];
      }
      this.canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      this.canvas.dataset.shown = Number(this.canvas.dataset.shown ?? 0) + 1;
    } finally { // one that cannot be shown is not the last
      requestAnimationFrame(() => {
        this.asked = false;
        this.want();
      });
    }
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.canvas.requestFullscreen();
  }

  tell(told) {
    this.pictures = told.pictures;
    this.title.textContent = told.label;
    this.badge.textContent = told.state;
    this.badge.className = `badge ${told.state.replaceAll(" ", "")}`;
    this.figure.hidden = !told.pictures;
    this.scene.classList.toggle("bare", !told.pictures);
    const gone = told.state === "offline" || told.state === "gave up";
    this.scene.classList.toggle("stale", gone);
    this.last.hidden = !gone || told.time_s === undefined;
    if (!this.last.hidden) this.last.textContent = `the last picture, ${clock(told.time_s)}`;
    if (told.classes) this.charts.classes = told.classes;
    this.tellRun(told);
    this.tellLegend(told);
    this.tellFaces(told);
    this.tellTiles(told);
    this.want();
  }

  tellRun(told) {
    const gone = told.offline;
    this.outage.hidden = !gone;
    if (gone) {
      const since = new Date(gone.since).toLocaleTimeString([], { hour12: false });
      this.outage.textContent = `Offline since ${since} (${clock(gone.seconds)}, ${gone.attempts} attempts): ${gone.cause}`;
    }
    const size = told.size.join(" x ");
    if (told.frames === undefined) {
      this.facts.textContent = size;
      return;
    }
    const all = told.n_frames ?? null, share = all ? told.frames / all : told.duration_s ? told.position_s / told.duration_s : null;
    const left = share && told.elapsed_s > 1 && told.state === "reading" ? `${clock((told.elapsed_s * (1 - share)) / share)} left` : "";
    this.progress.hidden = share === null;
    this.bar.style.width = width(share ?? 0);
    this.facts.textContent = [
      size, clock(told.position_s) + (told.duration_s ? ` of ${clock(told.duration_s)}` : ""),
      `frame ${told.frames.toLocaleString("en")}${all ? ` of ${all.toLocaleString("en")}` : ""}`, left,
    ].filter(Boolean).join(" · ");
    const most = Math.max(1, ...told.stages.map((stage) => stage[2]));
    this.stages.replaceChildren(...told.stages.map(([name, p50, p95]) => {
      const bars = [p95, p50].map((ms) => {
        const bar = element("span");
        bar.style.width = width(ms / most);
        return bar;
      });
      return element("div", {}, element("b", { text: name }), element("i", {}, ...bars), element("em", { text: `${p50.toFixed(1)} / ${p95.toFixed(1)}` }));
    }));
  }

  tellLegend(told) {
    if (!told.map) return;
    const { words, note, drawn } = told.map, key = JSON.stringify(told.map);
    if (this.mapKey === key) return;
    this.mapKey = key;
    if (!drawn) {
      this.legend.textContent = "no heatmap (--no-heatmap)";
      return;
    }
    const ramp = element("span", { class: "ramp", role: "img", "aria-label": "colours of the heatmap, from low to high" });
    ramp.style.background = `linear-gradient(90deg, ${this.about.heat.join(",")})`;
    this.legend.replaceChildren(`Heatmap: ${words}; `, element("span", { class: "colours" }, "low", ramp, "high"));
    this.chosen.hidden = !note;
    this.chosen.textContent = note;
  }

  tellFaces(told) {
    if (!told.faces) return;
    if (told.faces.length > FEW && !this.scene.classList.contains("many")) { // for good: nothing jumps to and fro
      this.scene.classList.add("many");
      this.left.append(this.tiles);
    }
    const there = new Set();
    for (const face of told.faces) {
      const key = face.track >= 0 ? face.track : `? ${there.size}`;
      there.add(key);
      if (!this.faces.has(key)) this.faces.set(key, new FaceView(key, told.classes, this.charts));
      this.faces.get(key).tell(face, told.classes);
    }
    for (const key of this.faces.keys()) if (!there.has(key)) this.faces.delete(key);
    const items = [...this.faces.entries()].filter(([key]) => there.has(key)).map(([, view]) => view.item);
    const none = element("p", { class: "note", text: told.state === "offline" ? "Offline: no face now; noise, filter and faults are those of the last picture." : "No face in this picture." });
    const wanted = items.length ? items : [none];
    if (wanted.length !== this.list.children.length || wanted.some((item, n) => item !== this.list.children[n])) this.list.replaceChildren(...wanted);
  }

  tellTiles(told) {
    const card = (about, head, ...rest) => element("div", { class: "card" }, element("span", { text: about }), element("b", { text: head }), ...rest.map((text) => element("span", { text })));
    const many = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
    const cards = [];
    if (told.noise) {
      const { kind, level, severity } = told.noise;
      const name = { gaussian: "sigma", salt_pepper: "density", speckle: "sigma" }[kind];
      cards.push(card("Noise", words(kind), `${name ? `${name} ${level.toFixed(3)}, ` : ""}severity ${severity.toFixed(3)}`));
      cards.push(card("Filter", told.filter.name, told.filter.why));
    }
    if (told.frames !== undefined) {
      const missed = told.missed ? ` late, ${told.missed.toLocaleString("en")} offline` : "";
      cards.push(card("Rate", `${told.fps.toFixed(1)} a second`, `dropped ${told.dropped.toLocaleString("en")}${missed}`));
      cards.push(card("Faces", many(told.tracks_total, "track"), `${many(told.faces_total, "face")}; ${told.memory_mb.toLocaleString("en")} MB`));
    }
    if (told.quality) {
      const rows = Object.entries(told.quality).flatMap(([fault, value]) => {
        const bar = element("span");
        bar.style.width = width(value);
        return [element("span", { text: fault }), element("i", {}, bar), element("em", { text: value.toFixed(2) })];
      });
      cards.push(element("div", { class: "card wide" }, element("span", { text: "Faults of the picture, 0 to 1" }), element("div", { class: "quality" }, ...rows)));
    }
    this.tiles.replaceChildren(...cards);
  }
}

class FaceView {
  constructor(track, classes, charts) {
    this.charts = charts;
    this.head = element("h3");
    this.doubt = element("p", { class: "doubt" });
    this.rows = classes.map((name) => [element("b", { text: name }), element("span"), element("em")]);
    const cells = this.rows.flatMap(([name, bar, share]) => [name, element("i", {}, bar), share]);
    const choose = () => charts.choose(String(track));
    this.item = element("article", {
      class: "face", tabindex: "0", title: "Show its probabilities over time (Enter)", onclick: choose,
      onkeydown: (event) => event.key === "Enter" && choose(),
    }, this.head, this.doubt, element("div", { class: "chances" }, ...cells));
  }

  tell(face, classes) {
    const order = face.p.map((_, k) => k).sort((a, b) => face.p[b] - face.p[a]);
    const chosen = classes.indexOf(face.label), second = order.find((k) => k !== chosen);
    this.head.replaceChildren(
      element("span", { class: "track", text: face.track >= 0 ? `#${face.track}` : "#?" }),
      `${face.label} ${percent(face.p[chosen])}`,
      element("span", { class: "second", text: second === undefined ? "" : `then ${classes[second]} ${percent(face.p[second])}` }));
    this.doubt.textContent = face.uncertain ? `uncertain: ${face.reasons.map((reason) => REASONS[reason] ?? reason).join(", ")}` : "not uncertain";
    this.doubt.classList.toggle("sure", !face.uncertain);
    this.item.style.borderLeftColor = face.uncertain ? "" : this.charts.colour(chosen);
    this.rows.forEach(([name, bar, share], k) => {
      name.classList.toggle("top", k === chosen);
      bar.style.width = width(face.p[k]);
      bar.style.background = face.uncertain ? css("--over") : this.charts.colour(k);
      share.textContent = percent(face.p[k]);
    });
  }
}
