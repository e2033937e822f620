// Shows the newest drawing of a part of the page. A list (data-new) does not move while the pointer
// or the focus is in it, and nothing moves while the page is paused: the drawings wait, and a
// button above the list says how many rows are new.
window.showPart = (function () {
  // A finger is nowhere before it taps: a list also stands still for this long after a touch.
  const TOUCH_HOLDS = 5000;
  const FOCUSABLE = "a, button, input, select, summary";
  const waiting = new Map();
  let paused = false;
  let touched = -TOUCH_HOLDS;

  const keys = (root) => [...root.querySelectorAll("[data-key]")].map((row) => row.dataset.key);

  function isHeld(place) {
    if (paused) return true;
    if (place.dataset.new === undefined) return false;
    const active = document.activeElement;
    // A button that shows what waits must not vanish while someone is about to press it.
    const focused = place.contains(active) || active?.dataset?.show === place.id;
    return focused || place.matches(":hover") || performance.now() - touched < TOUCH_HOLDS;
  }

  // The element that has the focus, found again by its id, or by its row and its place in the row.
  function focusIn(place) {
    const active = document.activeElement;
    if (!place.contains(active)) return () => null;
    if (active.id) return () => document.getElementById(active.id);
    const row = active.closest("[data-key]");
    const index = [...(row ?? place).querySelectorAll(FOCUSABLE)].indexOf(active);
    return () => {
      const again = row ? place.querySelector(`[data-key="${CSS.escape(row.dataset.key)}"]`) : place;
      return active === row ? again : again?.querySelectorAll(FOCUSABLE)[index];
    };
  }

  function draw(place, html) {
    const focused = focusIn(place);
    place.innerHTML = html;
    place.classList.remove("is-behind");
    focused()?.focus({ preventScroll: true });
    waiting.delete(place.id);
    say(place);
    place.dispatchEvent(new Event("drawn", { bubbles: true }));
  }

  // Counts the rows above the first one that the drawing before had too.
  function keep(place, html) {
    const before = waiting.get(place.id) ?? { keys: keys(place), count: 0, more: false };
    const made = document.createElement("template");
    made.innerHTML = html;
    const after = keys(made.content);
    const known = after.findIndex((key) => before.keys.includes(key));
    const count = before.count + (known < 0 ? after.length : known);
    const more = before.more || (known < 0 && before.keys.length > 0);
    waiting.set(place.id, { html, keys: after, count, more });
    // Paused, a state that changed must not go on looking true.
    place.classList.toggle("is-behind", place.dataset.new === undefined);
    say(place);
  }

  function say(place) {
    const button = document.querySelector(`[data-show="${place.id}"]`);
    if (!button) return;
    const kept = waiting.get(place.id);
    button.hidden = !kept;
    if (!kept) return;
    const [one, many] = place.dataset.new.split("|");
    const words = `${kept.count.toLocaleString("pt-BR")} ${kept.count === 1 ? one : many}`;
    button.textContent = kept.count ? (kept.more ? `Mais de ${words}` : words) : "Ver o que mudou";
  }

  function flush() {
    for (const [id, kept] of [...waiting]) {
      const place = document.getElementById(id);
      if (place && !isHeld(place)) draw(place, kept.html);
    }
  }

  function pause(now) {
    paused = now;
    const bar = document.querySelector(".live-paused");
    bar.hidden = !paused;
    bar.querySelector("time").textContent = new Date().toLocaleTimeString("pt-BR");
    for (const button of document.querySelectorAll(".live-pause")) button.hidden = paused;
    flush();
  }

  for (const button of document.querySelectorAll(".live-pause")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      pause(true);
      document.querySelector(".live-paused button").focus();
    });
  }
  document.querySelector(".live-paused button").addEventListener("click", () => {
    pause(false);
    document.querySelector(".live-pause").focus({ preventScroll: true });
  });
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      const place = document.getElementById(button.dataset.show);
      draw(place, waiting.get(place.id).html);
      // The button is hidden now: the focus goes to the newest row.
      place.querySelector("[data-key] a")?.focus({ preventScroll: true });
    });
  }
  const soon = () => setTimeout(flush, 0);
  for (const place of document.querySelectorAll("[data-new]")) {
    place.addEventListener("pointerleave", soon);
    place.addEventListener("focusout", soon);
    place.addEventListener("touchstart", () => (touched = performance.now()), { passive: true });
  }

  return (part) => {
    const place = document.getElementById(part.id);
    if (!place) return;
    if (isHeld(place)) keep(place, part.html);
    else draw(place, part.html);
  };
})();
