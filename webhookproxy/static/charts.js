// Says the values of a chart's slot that is pointed at, touched or focused, and lets the arrows go
// from slot to slot. A first touch shows the values; a second one follows the link.
(function () {
  let shown = null;
  let touch = false;

  const slotOf = (event) => event.target.closest?.(".plot .slot");
  const words = (slot) => slot.getAttribute("aria-label") ?? slot.dataset.words;

  function show(slot) {
    if (shown && shown.isConnected && shown !== slot) clear();
    shown = slot;
    slot.classList.add("is-shown");
    slot.closest(".plot").querySelector(".plot-words").textContent = words(slot);
  }

  function clear() {
    shown.classList.remove("is-shown");
    const line = shown.closest(".plot")?.querySelector(".plot-words");
    if (line) line.textContent = line.dataset.total;
    shown = null;
  }

  // One slot of each chart can be reached with Tab: the newest, or the last one that had the focus.
  function prepare(root) {
    for (const chart of root.querySelectorAll(".plot")) {
      const links = chart.querySelectorAll("a.slot");
      links[links.length - 1]?.setAttribute("tabindex", "0");
    }
  }

  function move(link, step) {
    const links = [...link.closest(".plot").querySelectorAll("a.slot")];
    const next = links[links.indexOf(link) + step];
    if (!next) return;
    for (const each of links) each.setAttribute("tabindex", each === next ? "0" : "-1");
    next.focus();
  }

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch" && slotOf(event)) show(slotOf(event));
  });
  document.addEventListener("pointerout", (event) => {
    if (shown && event.pointerType === "mouse" && !event.relatedTarget?.closest?.(".slot")) clear();
  });
  document.addEventListener("focusin", (event) => slotOf(event) && show(slotOf(event)));
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !slotOf(event)) return;
    event.preventDefault();
    move(slotOf(event), step);
  });
  document.addEventListener("pointerdown", (event) => {
    const slot = slotOf(event);
    touch = event.pointerType === "touch" && slot !== null && slot !== shown;
    if (slot) show(slot);
  }, true);
  document.addEventListener("click", (event) => {
    if (touch && slotOf(event)) event.preventDefault();
  });
  // A part of a live page was drawn again: the slot that was shown is found again by its time.
  document.addEventListener("drawn", (event) => {
    prepare(event.target);
    if (!shown || shown.isConnected) return;
    const { key } = shown.dataset;
    const chart = shown.closest(".plot")?.id;
    const again = key && chart && event.target.querySelector(`#${chart} [data-key="${key}"]`);
    if (again) show(again);
    else shown = null;
  });
  prepare(document);
})();
