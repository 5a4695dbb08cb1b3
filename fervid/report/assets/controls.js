"use strict";
// Legends that switch series on and off, and the keys of the charts.

function legend(id, entries) {
  byId(`l-${id}`).replaceChildren(...entries.map(([name, colour, n]) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = colour;
    const button = element("button", { type: "button", "aria-pressed": String(!hidden.has(name)) }, swatch, name);
    button.addEventListener("click", () => {
      const show = hidden.delete(name) || (hidden.add(name), false);
      button.setAttribute("aria-pressed", String(show));
      charts[id].setSeries(n, { show });
    });
    return button;
  }));
}

function keys(event) {
  const width = view[1] - view[0];
  const zoom = (factor) => setView([cursorTime - (cursorTime - view[0]) * factor, cursorTime + (view[1] - cursorTime) * factor]);
  const move = (seconds) => {
    const t = Math.min(whole[1], Math.max(whole[0], cursorTime + seconds));
    if (t < view[0] || t > view[1]) setView([view[0] + seconds, view[1] + seconds]);
    setCursor(t);
  };
  const by = event.shiftKey ? step : Math.max(step, width / 100);
  const doing = {
    ArrowLeft: () => move(-by),
    ArrowRight: () => move(by),
    PageUp: () => setView([view[0] - width / 2, view[1] - width / 2]),
    PageDown: () => setView([view[0] + width / 2, view[1] + width / 2]),
    Home: () => move(whole[0] - cursorTime),
    End: () => move(whole[1] - cursorTime),
    "+": () => zoom(0.6),
    "=": () => zoom(0.6),
    "-": () => zoom(1 / 0.6),
    0: () => setView(whole),
  }[event.key];
  if (!doing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  doing();
}
