"use strict";
// What the report and the live page share: elements, whose texts are never HTML, and colours.

const byId = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const darkPage = matchMedia("(prefers-color-scheme: dark)");
const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)} %`;
const words = (kind) => kind.replaceAll("_", "-and-"); // of noise
const KIND_COLOURS = ["#8a948c", "#4a90d9", "#e08a2c", "#a06cc8"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Colours of the overlay, darker on a light page, where pale ones could not be seen.
function shade(hex) {
  if (darkPage.matches) return hex;
  const parts = [1, 3, 5].map((at) => Math.round(parseInt(hex.slice(at, at + 2), 16) * 0.74));
  return `rgb(${parts.join(",")})`;
}
