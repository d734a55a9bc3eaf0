// The page of the public API: asks /v1, draws what it is told, follows changes. Texts of sites are only
// ever set as text.
"use strict";

const svgNamespace = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const sites = new Map();
let centre = null;

function element(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function levelOf(site) {
  return site.level === null ? "unknown" : site.level;
}

function wording(site) {
  if (site.suspended) return "suspended";
  if (site.level === null) return "nothing reported";
  if (site.level === "break") return "sale stopped";
  const held = site.held > 0 ? ` (${site.held} held)` : "";
  return `${site.level}: ${site.available}${held}`;
}

function drawList() {
  const rows = [...sites.values()].map((site) => {
    const row = element("li", {});
    row.append(element("span", {}, `${site.name} `));
    row.append(element("span", { class: `level ${levelOf(site)}` }, wording(site)));
    const far = site.distance_m === undefined ? "" : `${Math.round(site.distance_m)} m · `;
    const notice = site.notice === null ? "" : ` · ${site.notice}`;
    row.append(element("span", { class: "where" }, `${far}${site.address}${notice}`));
    return row;
  });
  byId("list").replaceChildren(...rows);
}

function drawMap() {
  const map = byId("map");
  const placed = [...sites.values()].filter((site) => site.latitude !== null);
  map.replaceChildren();
  if (placed.length === 0) return;
  const places = placed.map((site) => [site.longitude, site.latitude]);
  if (centre !== null) places.push([centre[1], centre[0]]);
  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const [middleLng, middleLat] = [middle(places.map((p) => p[0])), middle(places.map((p) => p[1]))];
  const narrow = Math.cos((middleLat * Math.PI) / 180);
  const flat = ([lng, lat]) => [(lng - middleLng) * narrow, middleLat - lat];
  const reach = Math.max(1e-6, ...places.map(flat).map(([x, y]) => Math.max(Math.abs(x) / 280, Math.abs(y) / 180)));
  const dot = (place, radius, kind, label) => {
    const [x, y] = flat(place);
    const circle = document.createElementNS(svgNamespace, "circle");
    circle.setAttribute("cx", String(300 + x / reach));
    circle.setAttribute("cy", String(200 + y / reach));
    circle.setAttribute("r", String(radius));
    circle.setAttribute("class", kind);
    const title = document.createElementNS(svgNamespace, "title");
    title.textContent = label;
    circle.append(title);
    map.append(circle);
  };
  for (const site of placed) {
    dot([site.longitude, site.latitude], 6, levelOf(site), `${site.name}, ${wording(site)}`);
  }
  if (centre !== null) dot([centre[1], centre[0]], 9, "centre", "here");
}

function draw() {
  drawList();
  drawMap();
}

function sayAge(status) {
  const age = byId("age");
  age.classList.toggle("old", !(status.complete && status.lag_ms < 10000));
  age.textContent = status.complete
    ? `The data is at most ${(status.lag_ms / 1000).toFixed(1)} seconds old.`
    : "Not all of the data is here yet.";
}

async function show() {
  const form = new FormData(byId("search"));
  const asked = new URLSearchParams({ per_page: "200" });
  const near = form.get("near").trim();
  const address = form.get("address").trim();
  if (address !== "") asked.set("address", address);
  if (near !== "") {
    asked.set("near", near);
    asked.set("radius_m", form.get("radius_m"));
  }
  centre = near === "" ? null : near.split(",").map(Number);
  const response = await fetch(`/v1/sites?${asked}`);
  const answer = await response.json();
  if (!response.ok) {
    byId("message").textContent = `${answer.parameter}: ${answer.detail}`;
    return;
  }
  sites.clear();
  for (const site of answer.sites) sites.set(site.code, site);
  const more = answer.total > answer.sites.length ? `, the first ${answer.sites.length} shown` : "";
  byId("message").textContent = `${answer.total} sites${more}`;
  sayAge(answer);
  draw();
}

function follow() {
  const changes = new EventSource("/v1/deltas");
  changes.addEventListener("site", (event) => {
    const site = JSON.parse(event.data);
    const known = sites.get(site.code);
    if (known === undefined) return;
    if (known.distance_m !== undefined) site.distance_m = known.distance_m;
    sites.set(site.code, site);
    draw();
  });
  changes.addEventListener("gone", (event) => {
    if (sites.delete(JSON.parse(event.data).code)) draw();
  });
  changes.addEventListener("reset", show);
  changes.addEventListener("status", (event) => sayAge(JSON.parse(event.data)));
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
show().then(follow);
