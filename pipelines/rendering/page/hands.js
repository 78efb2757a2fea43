// What the reader does: choose findings and foci, slide, point, window, print.

// ---- findings -----------------------------------------------------------------------------
const buttons = [...document.querySelectorAll("button.finding")];
function select(label, focus = 0) {
  const finding = findings.get(label);
  if (!finding) return;
  Object.assign(state, { finding, focus });
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset.label === label));
  }
  setWindow(...data.windows[finding.window], finding.window);
  if (finding.foci[focus]) state.at = [...finding.foci[focus].at];
  showDetail();
  showProfile();
  refresh();
}
function element(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}
function showDetail() {
  const { finding } = state, detail = document.getElementById("detail");
  const words = document.createElement("div");
  document.getElementById("shown").textContent = `${finding.name} ${finding.percent}`;
  document.getElementById("doubt").textContent = finding.cautions.join(" ");
  words.append(element("p", finding.decision), element("p", finding.frequency, "frequency"));
  const foci = document.createElement("div");
  foci.className = "foci";
  if (finding.foci.length) {
    const head = element("div", "", "foci-head");
    head.append(...[["", ""], ["Focus", ""], ["Slices", ""], ["Box, mm", "size"], ["of the evidence", ""]]
      .map(([text, name]) => element("span", text, name)));
    foci.append(head);
  } else {
    foci.append(element("p", finding.spread));
  }
  finding.foci.forEach((focus, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === state.focus));
    button.setAttribute("aria-label", `Focus ${index + 1}: ${focus.place}, ${focus.slices}, ${focus.share} of the evidence`);
    button.append(element("span", String(index + 1)), element("span", focus.place),
      element("span", focus.slices), element("span", focus.size, "size"), element("span", focus.share, "share"));
    button.addEventListener("click", () => {
      select(finding.label, index);
      document.querySelectorAll(".foci button")[index].focus();
    });
    foci.append(button);
  });
  detail.replaceChildren(words, foci);
}
function showProfile() {
  const profile = state.finding.profile, last = Math.max(1, profile.length - 1);
  const points = profile.map((_, i) => {
    const value = profile[profile.length - 1 - i]; // from head to feet, as the slider runs
    return `L${((1000 * i) / last).toFixed(1)} ${(100 - 96 * value).toFixed(1)}`;
  });
  viewer.querySelector(".profile path").setAttribute("d", `M0 100 ${points.join(" ")} L1000 100 Z`);
}
function step(by) {
  const open = buttons.filter((button) => button.offsetParent);
  if (!open.length) return;
  const now = open.findIndex((button) => state.finding && button.dataset.label === state.finding.label);
  const next = open[(now + by + open.length) % open.length];
  next.focus();
  select(next.dataset.label);
}

const hu = document.getElementById("hu");

// ---- hands --------------------------------------------------------------------------------
for (const button of buttons) {
  button.addEventListener("click", () => {
    select(button.dataset.label);
    if (matchMedia("(max-width: 940px)").matches) viewer.scrollIntoView({ block: "start" });
  });
}
for (const link of document.querySelectorAll("button.to-images")) {
  link.addEventListener("click", () => {
    select(link.dataset.label);
    viewer.scrollIntoView({ block: "nearest" });
  });
}
for (const plane of Object.values(planes)) {
  const axis = plane.w;
  const forward = plane.flipSlider ? -1 : 1; // towards the feet, the back, the left
  plane.slider.addEventListener("input", () =>
    move(axis, flip(sizes[axis], Number(plane.slider.value), plane.flipSlider)));
  plane.canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.deltaY) move(axis, state.at[axis] + forward * Math.sign(event.deltaY));
  }, { passive: false });
  plane.canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (!steps) return;
    event.preventDefault();
    move(axis, state.at[axis] + forward * steps);
  });
  const under = (event) => { // the voxel under the pointer, and whether it is one at all
    const box = frame(plane), ratio = window.devicePixelRatio || 1, at = [...state.at];
    const u = Math.floor(((event.offsetX * ratio - box.left) / box.width) * sizes[plane.u]);
    const v = Math.floor(((event.offsetY * ratio - box.top) / box.height) * sizes[plane.v]);
    at[plane.u] = clamp(u, 0, sizes[plane.u] - 1);
    at[plane.v] = flip(sizes[plane.v], clamp(v, 0, sizes[plane.v] - 1), plane.flipV);
    return { at, inside: u >= 0 && v >= 0 && u < sizes[plane.u] && v < sizes[plane.v] };
  };
  const point = (event) => {
    state.at = under(event).at;
    refresh();
  };
  plane.canvas.addEventListener("pointerdown", (event) => {
    plane.canvas.setPointerCapture(event.pointerId);
    plane.drag = event.shiftKey || event.button === 2 ? "window" : "point";
    if (plane.drag === "point") point(event);
  });
  plane.canvas.addEventListener("pointerleave", () => { hu.textContent = ""; });
  plane.canvas.addEventListener("pointermove", (event) => {
    const { at: [x, y, z], inside } = under(event);
    hu.textContent = inside ? `≈ ${Math.round(huOfLevel[volume[(z * rows + y) * columns + x]])} HU` : "";
    if (plane.drag === "point") point(event);
    if (plane.drag === "window") {
      setWindow(state.centre + 2 * event.movementY, Math.max(10, state.width + 4 * event.movementX));
      refresh();
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    plane.canvas.addEventListener(end, () => { plane.drag = null; });
  }
  plane.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
}
const windows = [...viewer.querySelectorAll(".window")];
for (const button of windows) {
  button.addEventListener("click", () => {
    setWindow(...data.windows[button.dataset.window], button.dataset.window);
    refresh();
  });
}
function toggle(name) {
  state[name] = !state[name];
  document.getElementById(name).setAttribute("aria-pressed", String(state[name]));
  refresh();
}
for (const name of ["evidence", "lines"]) {
  document.getElementById(name).addEventListener("click", () => toggle(name));
}
document.getElementById("opacity").addEventListener("input", (event) => {
  state.opacity = Number(event.target.value) / 100;
  refresh();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  windows[Number(key) - 1]?.click(); // 1, 2, 3: as the buttons stand
  if (key === "e") toggle("evidence");
  if (key === "l") toggle("lines");
  if (key === "n") step(1);
  if (key === "p") step(-1);
});

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
const copy = document.getElementById("copy"), draftText = document.getElementById("draft");
copy.hidden = false;
copy.addEventListener("click", async () => {
  let done = false;
  try {
    await navigator.clipboard.writeText(draftText.textContent);
    done = true;
  } catch { // refused or unknown to this browser: select it and copy as by hand
    getSelection().selectAllChildren(draftText);
    done = document.execCommand("copy");
  }
  document.getElementById("copied").textContent = done ? "Copied" : "Selected: press Ctrl-C";
});
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const part of closed) part.open = true;
});
addEventListener("afterprint", () => { for (const part of closed) part.open = false; });

if (!pixelsAreTrue()) {
  document.body.classList.add("still"); // the key images stand in for the viewer
  return;
}
viewer.hidden = false;
new ResizeObserver(refresh).observe(viewer);
setWindow(...data.windows.lung, "lung");
if (data.first) select(data.first);
decodeAll();
