"use strict";
(() => {
  const partners = JSON.parse(document.getElementById("dark-partners").textContent);
  const darkScheme = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const PAPER_WIDTH = 680;
  const NARROW = 560;

  const themed = (value) => {
    if (typeof value === "string") return partners[value] ?? value;
    if (Array.isArray(value)) return value.map(themed);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, themed(inner)]));
    }
    return value;
  };

  // On a phone a colour bar beside the curves would take a fifth of the width: it goes below.
  const compact = (figure) => {
    figure.layout.margin = { ...figure.layout.margin, l: 46, r: Math.min(figure.layout.margin.r, 40) };
    figure.layout.font.size = 11;
    for (const trace of figure.data) {
      const bar = trace.marker?.colorbar ?? trace.colorbar;
      if (!bar) continue;
      Object.assign(bar, { orientation: "h", x: 0.5, xanchor: "center", y: -0.2, yanchor: "top", len: 1.05, thickness: 9 });
      bar.title.side = "bottom";
      figure.layout.margin.b = 104;
      figure.layout.height += 40;
    }
  };

  const figures = [...document.querySelectorAll(".figure")].map((element) => {
    const source = JSON.parse(document.getElementById(`${element.id}-data`).textContent);
    const menus = source.layout.updatemenus ?? [];
    delete source.layout.updatemenus;
    return { element, source, menus, chosen: menus.map((menu) => menu.active) };
  });

  let paper = false;
  const inScheme = (value) => (darkScheme.matches && !paper ? themed(value) : structuredClone(value));

  const scrolls = (item, width) => width < item.source.layout.meta.min_width;

  const draw = (item) => {
    const figure = inScheme(item.source);
    item.width = paper ? PAPER_WIDTH : item.element.clientWidth;
    if (item.width < NARROW) compact(figure);
    if (paper) figure.layout.width = PAPER_WIDTH;
    else if (scrolls(item, item.width)) figure.layout.width = figure.layout.meta.min_width;
    if (touch) figure.layout.dragmode = false;
    const options = {
      displaylogo: false,
      modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "resetScale2d"]], // none that sends data anywhere
      toImageButtonOptions: { format: "svg", filename: item.element.id },
    };
    return Plotly.newPlot(item.element, figure.data, figure.layout, options).then(() =>
      item.menus.reduce(
        (done, menu, i) => done.then(() => (item.chosen[i] === menu.active ? undefined : apply(item, i))),
        Promise.resolve()
      )
    );
  };

  const fit = (item) => {
    const [before, now] = [item.width, item.element.clientWidth];
    if (now === before || !now) return undefined;
    if (now < NARROW !== before < NARROW || scrolls(item, now) !== scrolls(item, before)) return draw(item);
    item.width = now;
    return scrolls(item, now) ? undefined : Plotly.Plots.resize(item.element);
  };

  const apply = (item, index) => {
    const [traces, layout] = item.menus[index].buttons[item.chosen[index]].args;
    return Plotly.update(item.element, inScheme(traces), inScheme(layout));
  };

  const choose = (item, index, entry) => {
    item.chosen[index] = entry;
    return apply(item, index);
  };

  const text = (markup) => new DOMParser().parseFromString(markup, "text/html").body.textContent;

  const dropdown = (item, menu, index) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.append(...menu.buttons.map((button, entry) => new Option(text(button.label), entry)));
    select.selectedIndex = menu.active;
    select.addEventListener("change", () => choose(item, index, select.selectedIndex));
    label.append(menu.name, select);
    return label;
  };

  const buttons = (item, menu, index) => {
    const group = document.createElement("div");
    group.className = "switch";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", menu.name);
    group.append(
      ...menu.buttons.map((choice, entry) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text(choice.label);
        button.setAttribute("aria-pressed", entry === menu.active);
        button.addEventListener("click", () => {
          [...group.children].forEach((other) => other.setAttribute("aria-pressed", other === button));
          choose(item, index, entry);
        });
        return button;
      })
    );
    return group;
  };

  for (const item of figures) {
    const place = document.getElementById(`${item.element.id}-controls`);
    item.menus.forEach((menu, index) =>
      place.append((menu.type === "buttons" ? buttons : dropdown)(item, menu, index))
    );
  }

  // One figure at a time: Plotly measures what it has drawn, so a second drawing would disturb the first. The page can be
  // used between two of them: all at once would hold it for seconds in a large study.
  const breath = () => new Promise((go) => setTimeout(go));
  let queue = Promise.resolve();
  const inTurn = (work) => {
    queue = figures.reduce((done, item) => done.then(() => work(item)).then(breath), queue);
    return queue;
  };
  inTurn(draw).then(() => {
    performance.mark("drawn");
    document.documentElement.setAttribute("data-drawn", "true");
  });
  darkScheme.addEventListener("change", () => inTurn(draw));
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((details) => (details.open = true));
    paper = true;
    figures.forEach(draw);
  });
  addEventListener("afterprint", () => {
    paper = false;
    inTurn(draw);
  });
  let resized;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => inTurn(fit), 100);
  });

  // Tables: empty cells stay at the end whichever way a column is sorted.
  const sortValue = (row, column) => {
    const cell = row.cells[column];
    if ("v" in cell.dataset) return Number(cell.dataset.v);
    const words = cell.textContent.trim();
    return words === "" || words === "–" ? null : words;
  };

  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });

  const sort = (table, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const column = heading.cellIndex;
    const rows = [...table.tBodies[0].rows].map((row) => [sortValue(row, column), row]);
    rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : (down ? -1 : 1) * compare(a, b)));
    for (const other of heading.parentElement.cells) if (other.ariaSort) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.tBodies[0].append(...rows.map(([, row]) => row));
    say(`Sorted by ${heading.textContent}, ${down ? "descending" : "ascending"}`);
  };

  for (const table of document.querySelectorAll(".sortable")) {
    table.querySelectorAll("th[aria-sort]").forEach((heading) => {
      const cells = [...table.tBodies[0].rows].slice(0, 50).map((row) => row.cells[heading.cellIndex]);
      heading.classList.toggle("num", cells.some((cell) => cell.classList.contains("num")));
      heading.querySelector("button").addEventListener("click", () => sort(table, heading));
    });
  }

  // Long tables show 200 rows until all are asked for: laying out thousands takes seconds.
  const whole = (id) => {
    document.getElementById(id).classList.remove("cut");
    document.querySelector(`.more button[data-table="${id}"]`)?.parentElement.remove();
  };
  document.querySelectorAll(".more button").forEach((button) =>
    button.addEventListener("click", () => whole(button.dataset.table))
  );

  const filter = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#trials tbody tr")];
  filter?.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    whole("trials");
    rows.forEach((row) => (row.hidden = !row.textContent.toLowerCase().includes(wanted)));
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById("shown").textContent = wanted ? `${shown} of ${rows.length}` : "";
  });

  const say = (message) => (document.getElementById("said").textContent = message);

  const toClipboard = async (words) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(words);
    const area = Object.assign(document.createElement("textarea"), { value: words });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    return undefined;
  };

  document.addEventListener("click", async ({ target }) => {
    if (!target.matches?.(".copy")) return;
    await toClipboard(target.dataset.copy);
    target.textContent = "Copied";
    say("Copied");
    setTimeout(() => (target.textContent = "Copy"), 1500);
  });
})();
