// Refreshes the page of consumers in place, and asks before an action.
(() => {
  const page = document.getElementById("consumers");
  if (!page) return;
  const EVERY = 2000;
  const dialog = page.querySelector("dialog");

  const show = (card) => {
    const section = page.querySelector(`[data-stage="${card.stage}"]`);
    if (!section) return;
    section.dataset.observed = card.observed;
    section.dataset.verdict = card.verdict;
    for (const cell of section.querySelectorAll("[data-cell]")) {
      const text = card[cell.dataset.cell];
      if (cell.textContent !== text) cell.textContent = text;
    }
    section.querySelector("[data-points]").setAttribute("points", card.points);
    for (const button of section.querySelectorAll("button[name=action]:not([value=release])")) {
      button.disabled = !card.allowed.includes(button.value);
    }
    const halts = card.halts.map((halt) => `${halt.text};`).join("");
    if (section.querySelector("[data-halts]").dataset.halts !== halts && !dialog.open) location.reload();
  };

  const refresh = async () => {
    if (document.hidden) return;
    let away = true;
    try {
      const answer = await fetch(page.dataset.live, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const { at, kafka_problem, cards } = await answer.json();
        cards.forEach(show);
        page.querySelector("[data-at]").textContent = at;
        const note = page.querySelector("[data-kafka]");
        note.textContent = kafka_problem;
        note.hidden = !kafka_problem;
        away = false;
      }
    } catch {
      // The line below says that the page is old.
    }
    page.querySelector("[data-away]").hidden = !away;
  };

  const loop = async () => {
    await refresh();
    setTimeout(loop, EVERY);
  };
  setTimeout(loop, EVERY);

  let asked = null;
  page.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=action]");
    if (!button || button === asked) return;
    if (!button.form.reportValidity()) return event.preventDefault();
    event.preventDefault();
    asked = button;
    const stage = button.closest("[data-stage]").dataset.stage;
    const to = button.value === "scale" ? ` to ${button.form.elements.processes.value} processes` : "";
    dialog.querySelector("h2").textContent = button.dataset.question ?? `${button.textContent} ${stage}${to}?`;
    dialog.querySelector("[data-effect]").textContent = button.dataset.effect;
    dialog.showModal();
  });
  dialog.querySelector("[data-yes]").addEventListener("click", () => {
    const button = asked;
    dialog.close();
    button.disabled = false;
    button.form.requestSubmit(button);
  });
  dialog.querySelector("[data-no]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { asked = null; });
})();
