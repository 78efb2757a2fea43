"use strict";
(() => {
  // Rows are sorted within their part of the list: what was not read stays on top.
  const table = document.getElementById("list");
  const rows = () => [...table.querySelectorAll("tr[data-rank]")];
  const value = (row, key) => {
    if (key === "said" || key === "scan") return row.querySelector(`.${key}`).textContent.trim();
    return Number(row.dataset[key]);
  };

  function sort(key, order) {
    for (const th of table.querySelectorAll("th[aria-sort]")) th.removeAttribute("aria-sort");
    table.querySelector(`[data-key=${key}]`).closest("th").setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    for (const body of table.tBodies) {
      const sorted = [...body.querySelectorAll("tr[data-rank]")].sort((a, b) => {
        const left = value(a, key), right = value(b, key);
        const compared = typeof left === "number" ? left - right : left.localeCompare(right);
        return sign * compared || a.dataset.rank - b.dataset.rank;
      });
      body.append(...sorted);
    }
    mark(rows()[0]);
  }

  // One row is in the tab order; arrows move from it (roving tabindex).
  function mark(row) {
    for (const other of rows()) other.tabIndex = other === row ? 0 : -1;
  }

  table.addEventListener("click", (event) => {
    const button = event.target.closest("th button");
    if (!button) return;
    const first = "down" in button.dataset ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    sort(button.dataset.key, button.closest("th").getAttribute("aria-sort") === first ? other : first);
  });
  table.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr[data-rank]");
    if (!row || event.target !== row) return;
    const all = rows(), at = all.indexOf(row);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Enter") row.querySelector("a")?.click();
    if (next === undefined || !all[next]) return;
    event.preventDefault();
    mark(all[next]);
    all[next].focus();
  });

  // A list that loads itself again keeps its sort, its row and its place on the screen.
  const kept = `worklist ${location.pathname}`;
  addEventListener("pagehide", () => {
    const head = table.querySelector("th[aria-sort]");
    const state = {
      key: head.querySelector("button").dataset.key,
      order: head.getAttribute("aria-sort"),
      scan: document.activeElement.dataset?.scan ?? null,
      top: scrollY,
    };
    try { sessionStorage.setItem(kept, JSON.stringify(state)); } catch { /* it starts anew */ }
  });
  try {
    const state = JSON.parse(sessionStorage.getItem(kept));
    if (state && table.dataset.refresh) {
      sort(state.key, state.order);
      const row = state.scan && rows().find((one) => one.dataset.scan === state.scan);
      if (row) { mark(row); row.focus({ preventScroll: true }); }
      scrollTo(0, state.top);
    }
  } catch { /* nothing kept, or no storage here */ }

  // How old the list is; one that ought to be written every few seconds says when it is not.
  const made = document.getElementById("made"), stale = document.getElementById("stale");
  const limit = 60 * Number(table.dataset.staleMinutes || 0);
  function age() {
    const seconds = Math.max(0, (Date.now() - Date.parse(made.dateTime)) / 1000);
    const words = seconds < 60 ? "just now" : seconds < 3600 ? `${Math.floor(seconds / 60)} min ago`
      : seconds < 172800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
    document.getElementById("age").textContent = `, ${words}`;
    if (limit) stale.hidden = seconds < limit;
  }
  age();
  setInterval(age, 10000);
})();
