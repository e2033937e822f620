// The box above the list of events, which shows only what matches. Without this file it is hidden.
// Words are compared as search/typed.py compares them; data-find has an event's words beside those shown.
const box = document.getElementById("achar-evento");
const events = [...document.querySelectorAll(".event")];
const none = document.getElementById("nenhum-evento");
const plain = (text) => text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
const stem = (word) => {
  const shorter = word.replace(/(?:oes|aos|ao|os|as|o|a|s)$/, "");
  return shorter.length >= 4 ? shorter : word;
};

const textOf = (event) => {
  const shown = [...event.querySelectorAll("code, .about")].map((part) => part.textContent);
  return plain([...shown, event.dataset.find].join(" "));
};

box.hidden = false;
box.querySelector("input").addEventListener("input", (typed) => {
  const wanted = plain(typed.target.value).split(/\s+/).filter(Boolean).map(stem);
  for (const event of events) {
    const text = textOf(event);
    event.hidden = !wanted.every((word) => text.includes(word));
  }
  for (const group of document.querySelectorAll(".events details")) {
    const left = group.querySelectorAll(".event:not([hidden])").length;
    group.hidden = !left;
    if (wanted.length) group.open = left > 0;
  }
  none.hidden = events.some((event) => !event.hidden);
});
