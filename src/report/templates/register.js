"use strict";
const table = document.querySelector("table");
if (table) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const search = document.getElementById("search");
  const state = document.getElementById("state");
  const shown = document.getElementById("shown");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    rows.forEach((row, index) => {
      const fits = words.every((word) => texts[index].includes(word)) && (!state.value || row.dataset.state === state.value);
      row.hidden = !fits;
      n += fits ? 1 : 0;
    });
    shown.textContent = n + " of " + rows.length + " shown";
  };
  search.addEventListener("input", filter);
  state.addEventListener("change", filter);
  const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("thead th").forEach((it) => it.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sorted = rows.slice().sort((a, b) => value(a, column).localeCompare(value(b, column), "en", { numeric: true }));
      body.append(...(up ? sorted : sorted.reverse()));
    });
  });
  document.querySelector(".tools").hidden = false;
  window.addEventListener("beforeprint", () => table.querySelectorAll("details").forEach((it) => { it.open = true; }));
  filter();
}
