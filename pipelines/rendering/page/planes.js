// Three linked planes, painted at their true proportions, with marks, cross lines and scale bar.
// In a plane u runs to the right of the picture, v downwards, w through it.

const planes = {
  axial: { u: 0, v: 1, w: 2, flipV: false, flipSlider: true, marks: ["R", "L", "A", "P"] },
  coronal: { u: 0, v: 2, w: 1, flipV: true, flipSlider: false, marks: ["R", "L", "H", "F"] },
  sagittal: { u: 1, v: 2, w: 0, flipV: true, flipSlider: false, marks: ["A", "P", "H", "F"] },
};
const sizes = [columns, rows, depth], mms = [mmX, mmY, mmZ];
for (const [name, plane] of Object.entries(planes)) {
  plane.figure = viewer.querySelector(`.plane.${name}`);
  plane.canvas = plane.figure.querySelector("canvas");
  plane.slider = plane.figure.querySelector("input");
  plane.output = plane.figure.querySelector("output");
  plane.name = name;
  plane.evidence = document.createElement("canvas");
  plane.native = document.createElement("canvas");
  plane.native.width = sizes[plane.u];
  plane.native.height = sizes[plane.v];
  plane.image = plane.native.getContext("2d").createImageData(sizes[plane.u], sizes[plane.v]);
  plane.slider.min = 0;
  plane.slider.max = sizes[plane.w] - 1;
}
const flip = (size, value, flipped) => (flipped ? size - 1 - value : value);

function paintSlice(plane) {
  const { u, v, w, image } = plane;
  const nu = sizes[u], nv = sizes[v], out = image.data;
  const strides = [1, columns, columns * rows];
  for (let j = 0, o = 0; j < nv; j += 1) {
    let source = flip(nv, j, plane.flipV) * strides[v] + state.at[w] * strides[w];
    for (let i = 0; i < nu; i += 1, o += 4, source += strides[u]) {
      out[o] = out[o + 1] = out[o + 2] = grey[volume[source]];
      out[o + 3] = 255;
    }
  }
  plane.native.getContext("2d").putImageData(image, 0, 0);
}

// The evidence as a transparent picture of its own, so that it stays smooth over thick slices.
function paintEvidence(plane, map, width, height) {
  const { u, v, w } = plane, picture = plane.evidence;
  if (picture.width !== width || picture.height !== height) Object.assign(picture, { width, height });
  const context = picture.getContext("2d"), image = context.createImageData(width, height);
  const out = image.data, above = new Float32Array(width), at = [0, 0, 0];
  const step = sizes[u] / width;
  at[w] = state.at[w];
  for (let j = 0, o = 0; j < height; j += 1) {
    at[v] = flip(sizes[v], ((j + 0.5) * sizes[v]) / height - 0.5, plane.flipV);
    at[u] = step / 2 - 0.5;
    let x = mapAt(at, 0), y = mapAt(at, 1), z = mapAt(at, 2), before = 0;
    for (let i = 0; i < width; i += 1, o += 4) {
      const strength = lookUp(map, x, y, z) / 255, hot = strength >= HOT;
      x += step * toMap[0][u]; y += step * toMap[1][u]; z += step * toMap[2][u];
      const edge = (i && hot !== before >= HOT) || (j && hot !== above[i] >= HOT);
      before = above[i] = strength;
      out[o] = 255;
      out[o + 1] = edge ? 190 : 110;
      out[o + 2] = edge ? 80 : 0;
      out[o + 3] = edge ? 255 : 255 * state.opacity * Math.max(0, (strength - FAINT) / (1 - FAINT));
    }
  }
  context.putImageData(image, 0, 0);
}

function frame(plane) {
  // Where the slice lies on the canvas, in device pixels, at its true proportions.
  const wide = sizes[plane.u] * mms[plane.u], high = sizes[plane.v] * mms[plane.v];
  const scale = Math.min(plane.canvas.width / wide, plane.canvas.height / high);
  return {
    left: (plane.canvas.width - wide * scale) / 2, top: (plane.canvas.height - high * scale) / 2,
    width: wide * scale, height: high * scale, perMm: scale,
  };
}

function onCanvas(plane, box, at) {
  const u = (at[plane.u] + 0.5) / sizes[plane.u];
  const v = (flip(sizes[plane.v], at[plane.v], plane.flipV) + 0.5) / sizes[plane.v];
  return [box.left + u * box.width, box.top + v * box.height];
}

function draw() {
  for (const plane of Object.values(planes)) drawPlane(plane);
}

function drawPlane(plane) {
  const { canvas } = plane, ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  paintSlice(plane);
  const context = canvas.getContext("2d"), box = frame(plane);
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(plane.native, box.left, box.top, box.width, box.height);
  if (state.evidence && state.finding?.map) {
    const fine = Math.max(1, 1.5 * ratio); // device pixels per pixel of the overlay
    paintEvidence(plane, mapOf(state.finding.label), Math.ceil(box.width / fine), Math.ceil(box.height / fine));
    context.drawImage(plane.evidence, box.left, box.top, box.width, box.height);
  }
  if (state.lines) drawLines(context, plane, box, ratio);
  drawMarks(context, plane, box, ratio);
  describe(plane);
}

function drawLines(context, plane, box, ratio) {
  const [x, y] = onCanvas(plane, box, state.at);
  context.strokeStyle = "rgba(120, 180, 235, .38)";
  context.lineWidth = ratio;
  context.beginPath();
  context.moveTo(box.left, y); context.lineTo(x - 9 * ratio, y);
  context.moveTo(x + 9 * ratio, y); context.lineTo(box.left + box.width, y);
  context.moveTo(x, box.top); context.lineTo(x, y - 9 * ratio);
  context.moveTo(x, y + 9 * ratio); context.lineTo(x, box.top + box.height);
  context.stroke();
}

function drawMarks(context, plane, box, ratio) {
  const { width, height } = plane.canvas, edge = 10 * ratio;
  const [left, right, top, bottom] = plane.marks;
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  context.fillStyle = "#e8edf2";
  context.shadowColor = "#000";
  context.shadowBlur = 3 * ratio;
  context.textBaseline = "middle";
  context.textAlign = "left"; context.fillText(left, edge, height / 2);
  context.textAlign = "right"; context.fillText(right, width - edge, height / 2);
  context.textAlign = "center";
  context.fillText(top, width / 2, 12 * ratio);
  context.fillText(bottom, width / 2, height - 11 * ratio);
  const mm = box.width / box.perMm > 220 && plane.name === "axial" ? 100 : 50;
  const length = mm * box.perMm, y = height - 12 * ratio, x = width - edge - length;
  context.fillRect(x, y, length, 1.5 * ratio);
  context.fillRect(x, y - 4 * ratio, 1.5 * ratio, 5.5 * ratio);
  context.fillRect(x + length - 1.5 * ratio, y - 4 * ratio, 1.5 * ratio, 5.5 * ratio);
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  context.textAlign = "right";
  context.fillText(`${mm / 10} cm`, width - edge, y - 10 * ratio);
  context.shadowBlur = 0;
}

function place(at) {
  return data.affine_lps.slice(0, 3).map(
    (row) => row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3]);
}
function describe(plane) {
  const [x, y, z] = place(state.at);
  const text = {
    axial: () => `Slice ${data.slice_numbers[state.at[2]]} of ${data.slice_count} · z ${z.toFixed(0)} mm`,
    coronal: () => `y ${y.toFixed(0)} mm`,
    sagittal: () => `x ${x.toFixed(0)} mm`,
  }[plane.name]();
  if (plane.output.textContent !== text) plane.output.textContent = text;
  plane.slider.value = flip(sizes[plane.w], state.at[plane.w], plane.flipSlider);
  plane.slider.setAttribute("aria-valuetext", text);
  const shown = state.finding ? `, evidence for ${state.finding.name}` : "";
  plane.canvas.setAttribute("aria-label", `${plane.name} slice, ${text}${state.evidence ? shown : ""}`);
}

let pending = false;
function refresh() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(async () => {
    pending = false;
    await decode(state.at[2]);
    draw();
  });
}
function move(axis, value) {
  state.at[axis] = clamp(Math.round(value), 0, sizes[axis] - 1);
  refresh();
}
