"use strict";
(() => {
const sheet = JSON.parse(document.getElementById("sheet").textContent);
const $ = (id) => document.getElementById(id);
const CHOICES = [[1, "present"], [0, "absent"], [-1, "uncertain"], [null, "not said"]];
const memory = `chestct-review:${sheet.worksheet}:${sheet.name}`;
const byId = new Map(sheet.items.map((item) => [item.id, item]));
const known = new Set(sheet.labels);
const isValue = (value) => CHOICES.some(([one]) => one === value);

const decided = new Map(); // id -> { verdict, labels: Map }
const drafts = new Map(); // id -> Map of label to value; undefined where nothing is chosen yet
let at = 0;
let saved = true;

function draft(item) {
  if (!drafts.has(item.id)) {
    const judged = decided.get(item.id);
    const open = sheet.kind === "adjudication";
    const rows = new Map(item.asked.map((label) => [label, open ? undefined : null]));
    for (const [label, value] of Object.entries(item.proposal)) rows.set(label, value);
    if (judged) for (const [label, value] of judged.labels) rows.set(label, value);
    drafts.set(item.id, rows);
  }
  return drafts.get(item.id);
}

function element(tag, text, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.textContent = text;
  return made;
}

function say(message) { $("message").textContent = message; }
function told(value) { return CHOICES.find(([one]) => one === value)[1]; }

function row(item, label, number) {
  const rows = draft(item);
  const set = document.createElement("fieldset");
  set.dataset.label = label;
  set.dataset.value = String(rows.get(label));
  const legend = element("legend", label);
  if (number <= 9) legend.prepend(element("kbd", String(number)), " ");
  const readers = Object.hasOwn(item.readers, label) ? item.readers[label] : null;
  if (readers) legend.append(element("small", `one reader: ${told(readers[0])}, the other: ${told(readers[1])}`));
  set.append(legend);
  for (const [value, name] of CHOICES) {
    const choice = element("label", "");
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: `row-${number}`, checked: rows.get(label) === value,
    });
    input.addEventListener("change", () => {
      rows.set(label, value);
      set.dataset.value = String(value);
      say("");
    });
    choice.append(input, name);
    set.append(choice);
  }
  return set;
}

function show() {
  const item = sheet.items[at];
  const judged = decided.get(item.id);
  $("place").textContent = sheet.kind === "sentences"
    ? `Sentence ${at + 1} of ${sheet.items.length}, in ${item.reports.toLocaleString("en")} ${item.reports === 1 ? "report" : "reports"}`
    : `Report ${at + 1} of ${sheet.items.length}`;
  $("standing").textContent = judged ? (judged.verdict === "judged" ? "judged" : "cannot be decided") : "open";
  $("before").textContent = item.before && `… ${item.before}`;
  $("after").textContent = item.after && `${item.after} …`;
  $("text").replaceChildren(...item.pieces.map(([words, existence]) =>
    existence ? element("mark", words, { className: existence, title: existence }) : document.createTextNode(words)));
  $("why").replaceChildren(...item.why.map((reason) => element("li", reason)));
  $("rows").replaceChildren(...[...draft(item).keys()].map((label, index) => row(item, label, index + 1)));
  $("progress").max = sheet.items.length;
  $("progress").value = decided.size;
  $("count").textContent = `${decided.size} of ${sheet.items.length} judged`;
  document.body.dataset.at = String(at);
  say("");
}

function go(step) {
  at = Math.min(Math.max(at + step, 0), sheet.items.length - 1);
  show();
  scrollTo(0, 0);
}

function goOn() {
  const rest = sheet.items.slice(at + 1).findIndex((item) => !decided.has(item.id));
  if (rest >= 0) return go(rest + 1);
  const first = sheet.items.findIndex((item) => !decided.has(item.id));
  if (first >= 0) return go(first - at);
  show();
  return say("All are judged: save them to a file.");
}

function decide(verdict) {
  const item = sheet.items[at];
  const labels = new Map(draft(item));
  const open = [...labels].filter(([, value]) => value === undefined).map(([label]) => label);
  if (verdict === "judged" && open.length) return say(`Choose for ${open[0]} first.`);
  decided.set(item.id, { verdict, labels: verdict === "judged" ? labels : new Map() });
  saved = false;
  remember();
  return goOn();
}

function change(number) {
  const item = sheet.items[at];
  const label = [...draft(item).keys()][number - 1];
  if (label === undefined) return;
  const values = CHOICES.map(([value]) => value);
  draft(item).set(label, values[(values.indexOf(draft(item).get(label)) + 1) % values.length]);
  show();
}

function add() {
  const wanted = $("find").value.trim().toLowerCase();
  const fits = sheet.labels.filter((label) => label.toLowerCase().startsWith(wanted));
  const label = sheet.labels.find((one) => one.toLowerCase() === wanted) || (fits.length === 1 ? fits[0] : undefined);
  if (!wanted || label === undefined) return say(fits.length > 1 ? "Several labels begin so; go on typing." : "No label is called so.");
  draft(sheet.items[at]).set(label, 1);
  $("find").value = "";
  $("find").blur();
  return show();
}

function content() {
  return {
    format: sheet.format, worksheet: sheet.worksheet, sheet: sheet.name, reader: $("reader").value.trim(),
    decisions: sheet.items.filter((item) => decided.has(item.id)).map((item) => {
      const { verdict, labels } = decided.get(item.id);
      return { id: item.id, verdict, labels: Object.fromEntries(labels) };
    }),
  };
}

function adopt(given) {
  if (!given || given.worksheet !== sheet.worksheet || given.sheet !== sheet.name) return false;
  for (const { id, verdict, labels } of given.decisions) {
    if (!byId.has(id) || !["judged", "unsure"].includes(verdict)) continue;
    const rows = Object.entries(labels).filter(([label, value]) => known.has(label) && isValue(value));
    decided.set(id, { verdict, labels: new Map(rows) });
    drafts.delete(id);
  }
  $("reader").value = given.reader || "";
  return true;
}

// A browser may forbid its storage to local files; files are the true record.
function remember() {
  try { localStorage.setItem(memory, JSON.stringify(content())); } catch { /* saved to a file alone */ }
}
function recall() {
  try { return adopt(JSON.parse(localStorage.getItem(memory))); } catch { return false; }
}

function download(text, kind, suffix) {
  const reader = $("reader").value.trim().replace(/[^A-Za-z0-9]+/g, "-");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = `${sheet.name}${reader && "-" + reader}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  saved = true;
}

function saveJson() { download(JSON.stringify(content(), null, 1) + "\n", "application/json", "json"); }

function saveCsv() {
  const { worksheet, sheet: name, reader, decisions } = content();
  // A cell that begins like a formula gets an apostrophe, so that no spreadsheet runs it.
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r\n]/.test(text) ? "'" + text : text;
    return `"${safe.replaceAll('"', '""')}"`;
  };
  const lines = [["worksheet", "sheet", "reader", "id", "verdict", "text", ...sheet.labels]];
  for (const { id, verdict } of decisions) {
    const words = byId.get(id).pieces.map(([piece]) => piece).join("");
    const { labels } = decided.get(id);
    lines.push([worksheet, name, reader, id, verdict, words, ...sheet.labels.map((label) => labels.get(label))]);
  }
  download("\ufeff" + lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n", "text/csv", "csv");
}

async function open(file) {
  let done = false;
  try { done = adopt(JSON.parse(await file.text())); } catch { done = false; }
  show();
  say(done ? `${decided.size} read.` : "This file holds no decisions on this sheet.");
}

$("name").textContent = sheet.name;
$("about").textContent = sheet.about;
$("names").replaceChildren(...sheet.labels.map((label) => Object.assign(document.createElement("option"), { value: label })));
document.querySelector(".add").hidden = sheet.kind === "adjudication";
document.body.classList.toggle("long", sheet.kind !== "sentences");
$("accept").addEventListener("click", () => decide("judged"));
$("unsure").addEventListener("click", () => decide("unsure"));
$("previous").addEventListener("click", () => go(-1));
$("next").addEventListener("click", () => go(1));
$("save-json").addEventListener("click", saveJson);
$("save-csv").addEventListener("click", saveCsv);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  await open($("file").files[0]);
  $("file").value = ""; // so that the same file can be opened again
});
$("reader").addEventListener("change", remember);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input[type=text]");
  if (event.key === "Escape" && typing) event.target.blur();
  else if (event.key === "Enter" && event.target === $("find")) add();
  else if (typing || (event.key === "Enter" && event.target.matches("button"))) return;
  else if (event.key === "Enter") decide("judged");
  else if (event.key === "u") decide("unsure");
  else if (event.key === "j") go(1);
  else if (event.key === "k") go(-1);
  else if (event.key === "s") saveJson();
  else if (event.key === "/" && sheet.kind !== "adjudication") $("find").focus();
  else if (/^[1-9]$/.test(event.key)) change(Number(event.key));
  else return;
  event.preventDefault();
});
addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });

if (recall()) at = Math.max(0, sheet.items.findIndex((item) => !decided.has(item.id)));
show();
})();
