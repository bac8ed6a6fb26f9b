"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const narrow = window.matchMedia("(max-width: 640px)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const byId = (id) => document.getElementById(id);

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // Figures: drawn for light and for dark, so that the theme and print change without a script.

  const tables = {};
  for (const [name, columns] of Object.entries(data.tables)) {
    const rows = (tables[name] = []);
    for (const [column, [values, places]] of Object.entries(columns)) {
      (places ?? values).forEach((entry, row) => ((rows[row] ??= {})[column] = places ? values[entry] : entry));
    }
  }

  const withTables = (spec) => {
    const datasets = {};
    JSON.stringify(spec, (_, part) => {
      if (part && typeof part.name === "string" && Object.hasOwn(tables, part.name)) datasets[part.name] = structuredClone(tables[part.name]);
      return part;
    });
    return { ...spec, datasets };
  };

  const fit = (svg, room) => {
    const slightly = svg.width.baseVal.value * 0.8 < room; // wider ones are scrolled
    svg.classList.toggle("fitted", slightly);
  };

  const draw = async () => {
    const width = narrow.matches ? "narrow" : "wide";
    const themes = dark.matches ? ["dark", "light"] : ["light", "dark"];
    for (const theme of themes) {
      for (const [name, specs] of Object.entries(data.figures)) {
        const place = byId(`${name}-${theme}`);
        await raysweepChart(place, withTables(specs[width]), data.configs[width][theme]);
        fit(place.querySelector("svg"), place.parentElement.clientWidth);
      }
    }
    document.documentElement.dataset.ready = "true";
  };

  // Numbers: rounded as in the terminal's report, or every digit.

  const shown = new Map();

  const showDigits = (all) => {
    for (const cell of document.querySelectorAll("#cell-table td[data-name][data-value], .positions td[data-value]")) {
      if (cell.dataset.name === "seeds") continue;
      if (!shown.has(cell)) shown.set(cell, cell.textContent);
      const full = cell.dataset.high ? `${cell.dataset.value}–${cell.dataset.high}` : cell.dataset.value;
      cell.textContent = all ? full : shown.get(cell);
    }
  };

  // The table: sorted by a head's button; cells without a value stay last.

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return JSON.parse(cell.dataset.value);
    return cell.dataset.name || !cell.textContent ? null : cell.textContent;
  };

  const compare = (a, b) =>
    typeof a === typeof b && typeof a !== "string" ? Number(a) - Number(b) : String(a).localeCompare(String(b), "en", { numeric: true });

  const sortBy = (table, head) => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    const rows = [...table.tBodies[0].rows];
    const keyed = rows.map((row) => ({ row, value: valueOf(row, head.cellIndex), place: Number(row.dataset.place) }));
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
      return (descending ? -1 : 1) * compare(a.value, b.value) || a.place - b.place;
    });
    for (const other of head.parentElement.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.tBodies[0].append(...keyed.map(({ row }) => row));
  };

  // The chosen cell: its settings, its accuracy at each position, and some of its windows.

  const share = (value) => (Math.floor(100 * value + 2e-5) / 100).toFixed(2);

  const row = (name, values, className) => {
    const made = element("tr");
    const head = element("th", name);
    head.scope = "row";
    made.append(head, ...values.map((value, place) => element("td", value, className && className(place))));
    return made;
  };

  const positionsOf = (positions) => {
    const table = element("table");
    table.setAttribute("aria-label", "Share of windows that are right at each position");
    const accuracy = row("accuracy", positions.map(share));
    [...accuracy.querySelectorAll("td")].forEach((cell, place) => (cell.dataset.value = JSON.stringify(positions[place])));
    table.append(row("position", positions.map((_, place) => place + 1)), accuracy);
    const around = element("div", undefined, "positions");
    around.append(table);
    return around;
  };

  const windowOf = ([rank, sequence, place, input, expected, predicted, wrong], of) => {
    const around = element("div", undefined, "window");
    const table = element("table");
    const outcome = wrong ? `${wrong} wrong` : "all right";
    const caption = `${rank.toLocaleString("en")} of ${of.toLocaleString("en")} · sequence ${sequence}, window ${place} · ${outcome}`;
    table.setAttribute("aria-label", caption);
    const same = input.length === expected.length && input.every((value, index) => value === expected[index]);
    if (!same) table.append(row("input", input, (index) => (index < expected.length ? "" : "behind")));
    const guess = row("predicted", predicted, (index) => (predicted[index] === expected[index] ? "" : "wrong"));
    for (const cell of guess.querySelectorAll(".wrong")) cell.append(element("span", " wrong", "hidden"));
    table.append(row("expected", expected), guess);
    around.append(element("p", caption), table);
    return around;
  };

  const choose = (number) => {
    const cell = data.cells[number];
    const settings = element("p", undefined, "settings");
    for (const [name, value] of cell.settings) {
      const item = element("span");
      item.append(element("b", `${name} `), value);
      settings.append(item);
    }
    const parts = [element("h3", cell.label), settings];
    if (cell.positions.length) parts.push(positionsOf(cell.positions));
    if (cell.note) parts.push(element("p", cell.note, "quiet"));
    if (cell.examples) {
      const windows = element("div", undefined, "windows");
      windows.append(...cell.examples.map((example) => windowOf(example, cell.of)));
      parts.push(element("h4", `Examples of seed ${cell.seed}, from its best window to its worst; wrong positions in a box`), windows);
    }
    byId("chosen").replaceChildren(...parts);
    showDigits(byId("digits").checked);
  };

  const table = byId("cell-table");
  if (table) {
    [...table.tBodies[0].rows].forEach((each, place) => (each.dataset.place = place));
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (head) sortBy(table, head);
    });
    table.tBodies[0].addEventListener("click", (event) => {
      const radio = event.target.closest("tr").querySelector("input");
      if (event.target !== radio) radio.click();
    });
    table.addEventListener("change", (event) => choose(Number(event.target.value)));
    byId("digits").addEventListener("change", (event) => showDigits(event.target.checked));
    const first = table.querySelector("input:checked");
    if (first) choose(Number(first.value));
  }

  // Printed, everything that is folded is open.

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const each of opened) each.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });

  draw();
  narrow.addEventListener("change", draw);
})();
