// The volume and its evidence: levels to HU to grey, slices decoded one by one, maps looked up.
// Everything comes from the JSON block in this page; nothing is asked of any network.

const data = JSON.parse(document.getElementById("viewer-data").textContent);
const [depth, rows, columns] = data.shape_zyx;
const [mmZ, mmY, mmX] = data.spacing_mm_zyx;
const findings = new Map(data.findings.map((finding) => [finding.label, finding]));
const viewer = document.getElementById("viewer");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

const state = {
  at: [columns >> 1, rows >> 1, depth >> 1], // column, row, slice
  window: "lung", centre: 0, width: 1,
  finding: null, focus: 0, evidence: true, opacity: 0.45, lines: true,
};

// ---- levels and windows -------------------------------------------------------------------
const huOfLevel = Float32Array.from({ length: 256 }, (_, level) => {
  const { hu, level: at } = data.curve;
  let i = 1;
  while (i < at.length - 1 && level > at[i]) i += 1;
  return hu[i - 1] + ((level - at[i - 1]) / (at[i] - at[i - 1])) * (hu[i] - hu[i - 1]);
});
const grey = new Uint8ClampedArray(256);
function setWindow(centre, width, name = null) {
  Object.assign(state, { centre, width, window: name });
  for (let level = 0; level < 256; level += 1) {
    grey[level] = 255 * ((huOfLevel[level] - centre) / width + 0.5);
  }
  for (const button of viewer.querySelectorAll(".window")) {
    button.setAttribute("aria-pressed", String(button.dataset.window === name));
  }
  document.getElementById("window-values").textContent =
    `C ${Math.round(centre)}  W ${Math.round(width)} HU`;
}

// ---- the volume, decoded slice by slice ---------------------------------------------------
const volume = new Uint8Array(depth * rows * columns);
const decoded = new Uint8Array(depth);
const scratch = document.createElement("canvas");
scratch.width = columns;
scratch.height = rows;
const scratchContext = scratch.getContext("2d", { willReadFrequently: true });
// A browser that guards against fingerprinting gives back other pixels than were drawn.
function pixelsAreTrue() {
  scratchContext.fillStyle = "rgb(90, 91, 92)";
  scratchContext.fillRect(0, 0, columns, rows);
  const seen = scratchContext.getImageData(columns >> 1, rows >> 1, 1, 1).data;
  return seen[0] === 90 && seen[1] === 91 && seen[2] === 92;
}
async function decode(slice) {
  if (decoded[slice]) return;
  decoded[slice] = 1;
  const picture = new Image();
  picture.src = "data:image/jpeg;base64," + data.jpegs[slice];
  await picture.decode();
  scratchContext.drawImage(picture, 0, 0);
  const rgba = scratchContext.getImageData(0, 0, columns, rows).data;
  const start = slice * rows * columns;
  for (let i = 0, j = 0; j < rgba.length; i += 1, j += 4) volume[start + i] = rgba[j];
  data.jpegs[slice] = null;
}
async function decodeAll() {
  const note = document.getElementById("loading");
  const order = [...Array(depth).keys()].sort(
    (a, b) => Math.abs(a - state.at[2]) - Math.abs(b - state.at[2]));
  for (const [count, slice] of order.entries()) {
    await decode(slice);
    if (count % 8 === 0) {
      note.textContent = `Loading slices ${Math.round((100 * count) / depth)} %`;
      draw();
      await new Promise((resume) => setTimeout(resume));
    }
  }
  note.textContent = "";
  viewer.dataset.ready = "true";
  draw();
}

// ---- evidence: a coarse map, looked up trilinearly through an affine -------------------------
const maps = new Map();
function mapOf(label) {
  if (!maps.has(label)) {
    const entry = findings.get(label);
    const bytes = Uint8Array.from(atob(entry.map), (letter) => letter.charCodeAt(0));
    maps.set(label, { bytes, shape: data.map_shape_zyx });
  }
  return maps.get(label);
}
const HOT = 0.5; // of the strongest cell: the outline of a focus
const FAINT = 0.15;
const toMap = data.view_to_map; // 4 by 4, rows: column, row, slice of the map
const mapAt = (at, axis) =>
  toMap[axis][0] * at[0] + toMap[axis][1] * at[1] + toMap[axis][2] * at[2] + toMap[axis][3];
function lookUp(map, x, y, z) {
  const [nz, ny, nx] = map.shape;
  if (x < -0.5 || y < -0.5 || z < -0.5 || x > nx - 0.5 || y > ny - 0.5 || z > nz - 0.5) return 0;
  const cx = clamp(x, 0, nx - 1), cy = clamp(y, 0, ny - 1), cz = clamp(z, 0, nz - 1);
  const x0 = Math.floor(cx), y0 = Math.floor(cy), z0 = Math.floor(cz);
  const x1 = Math.min(x0 + 1, nx - 1), y1 = Math.min(y0 + 1, ny - 1), z1 = Math.min(z0 + 1, nz - 1);
  const fx = cx - x0, fy = cy - y0, fz = cz - z0, b = map.bytes;
  const row = (zz, yy) => {
    const base = (zz * ny + yy) * nx;
    return b[base + x0] * (1 - fx) + b[base + x1] * fx;
  };
  const plane = (zz) => row(zz, y0) * (1 - fy) + row(zz, y1) * fy;
  return plane(z0) * (1 - fz) + plane(z1) * fz;
}
