// What the trail's pages gain with JavaScript: keys, the side panel, news without moving the list, a time range by dragging.
(() => {
  "use strict";
  const POLL_MS = 5000;
  const timeline = document.querySelector("[data-timeline]");

  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  // --- the chosen event, by keys or by click ---
  let chosen = null;

  const visible = () => [...document.querySelectorAll("[data-event], [data-run]")].filter((row) => row.offsetParent !== null);

  function choose(row) {
    chosen?.classList.remove("at-chosen");
    chosen = row;
    row.classList.add("at-chosen");
    row.setAttribute("tabindex", "-1");
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const rows = visible();
    const at = rows.indexOf(chosen);
    const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (next) choose(next);
  }

  async function inspect(row) {
    const panel = document.querySelector("[data-panel]");
    const answer = await fetch(`${row.dataset.href}?panel`, { headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok || answer.redirected) { location.href = row.dataset.href; return; }
    panel.innerHTML = await answer.text();
    fillStored(panel);
    if (getComputedStyle(document.querySelector(".at-aside")).position === "static") panel.scrollIntoView({ block: "nearest" });
  }

  function open() {
    if (!chosen) return;
    if (chosen.matches("[data-run]")) chosen.click();
    else inspect(chosen);
  }

  const keys = {
    j: () => step(1),
    k: () => step(-1),
    Enter: open,
    c: () => { if (chosen?.dataset.compare) location.href = chosen.dataset.compare; },
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => {
      const help = document.getElementById("keys");
      help?.scrollIntoView({ block: "center" });
      help?.animate([{ outline: "3px solid currentColor" }, { outline: "3px solid transparent" }], 1200);
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "Enter" && (event.target.closest("a, button, summary") || !chosen)) return;
    const act = timeline || event.key === "/" ? keys[event.key] : null;
    if (act) { event.preventDefault(); act(); }
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-inspect]");
    if (link && timeline && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      const row = link.closest("[data-event]");
      choose(row);
      inspect(row);
    }
    const copy = event.target.closest("[data-copy]");
    if (copy && navigator.clipboard) {
      event.preventDefault();
      navigator.clipboard.writeText(copy.href).then(() => { copy.textContent = "Copied"; });
    }
    for (const menu of document.querySelectorAll(".at-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  // --- where an event is stored: asked apart, so that no page waits for the index ---
  async function fillStored(within) {
    for (const place of within.querySelectorAll("[data-stored]")) {
      try {
        const answer = await fetch(place.dataset.stored);
        if (answer.ok) place.textContent = `, ${(await answer.json()).search}`;
      } catch { /* the page is complete without it */ }
    }
  }
  fillStored(document);

  // --- news: the list never moves by itself ---
  let asking = false;

  async function news() {
    if (document.hidden || asking) return;
    asking = true;
    let state;
    try {
      const answer = await fetch(`${timeline.dataset.news}?seen=${timeline.dataset.seen}`);
      if (!answer.ok) return;
      state = await answer.json();
    } catch { return; } finally { asking = false; }
    const search = state.search_seconds === null ? "search is away, this timeline is complete without it" : `search ${state.search_seconds} s behind`;
    document.querySelector("[data-freshness]").textContent = `current to ${state.current_to ?? "no event yet"}, ${search}`;
    const button = document.querySelector("[data-news-button]");
    button.hidden = state.new === 0;
    button.textContent = state.new === 1 ? "1 new event" : `${state.new} new events`;
  }
  if (timeline) {
    news();
    setInterval(news, POLL_MS);
    document.addEventListener("visibilitychange", news);
  }

  // --- an event that the address points to may lie in a closed run ---
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target) {
    const run = target.closest(".at-run details");
    if (run) { run.open = true; target.scrollIntoView({ block: "center" }); }
    if (target.dataset.event) choose(target);
  }

  // --- a time range by dragging over the histogram ---
  const histogram = document.querySelector("[data-timeline] [data-histogram]");
  if (histogram) {
    const bars = [...histogram.querySelectorAll("[data-since]")];
    const brush = Object.assign(document.createElement("div"), { className: "at-brush", hidden: true });
    let from = null;
    histogram.append(brush);
    const under = (x) => bars.find((bar) => x <= bar.getBoundingClientRect().right) ?? bars.at(-1);
    histogram.addEventListener("dragstart", (event) => event.preventDefault());
    histogram.addEventListener("pointerdown", (event) => { if (event.button === 0) from = event.clientX; });
    window.addEventListener("pointermove", (event) => {
      if (from === null || Math.abs(event.clientX - from) < 5) return;
      const edge = histogram.getBoundingClientRect().left;
      brush.hidden = false;
      brush.style.left = `${Math.min(from, event.clientX) - edge}px`;
      brush.style.width = `${Math.abs(event.clientX - from)}px`;
    });
    window.addEventListener("pointerup", (event) => {
      if (from === null) return;
      const [left, right] = [Math.min(from, event.clientX), Math.max(from, event.clientX)];
      from = null;
      if (brush.hidden) return;
      const address = new URL(location.href);
      for (const name of ["before", "after"]) address.searchParams.delete(name);
      address.searchParams.set("since", under(left).dataset.since);
      address.searchParams.set("until", under(right).dataset.until);
      location.href = address;
    });
    histogram.addEventListener("click", (event) => { if (!brush.hidden) event.preventDefault(); }, true);
  }
})();
