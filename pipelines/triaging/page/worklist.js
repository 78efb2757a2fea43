"use strict";
(() => {
  // Rows are sorted within their part of the list: what was not read stays on top.
  const table = document.getElementById("list");
  const rows = () => [...table.querySelectorAll("tbody tr")];
  const value = (row, key) => {
    if (key === "said") return row.querySelector(".said").textContent.trim();
    if (key === "scan") return row.querySelector(".scan").textContent.trim();
    return Number(row.dataset[key]);
  };

  function sort(button) {
    const head = button.closest("th");
    const first = "down" in button.dataset ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const th of table.querySelectorAll("th[aria-sort]")) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = button.dataset.key;
    for (const body of table.tBodies) {
      const sorted = [...body.rows].sort((a, b) => {
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
    if (button) sort(button);
  });
  table.addEventListener("keydown", (event) => {
    const row = event.target.closest("tbody tr");
    if (!row || event.target !== row) return;
    const all = rows(), at = all.indexOf(row);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Enter") row.querySelector("a")?.click();
    if (next === undefined || !all[next]) return;
    event.preventDefault();
    mark(all[next]);
    all[next].focus();
  });
})();
