// The box above the list of events, which shows only what matches. Without this file it is hidden.
const box = document.getElementById("achar-evento");
const events = [...document.querySelectorAll(".event")];
const plain = (text) => text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");

box.hidden = false;
box.querySelector("input").addEventListener("input", (typed) => {
  const wanted = plain(typed.target.value.trim());
  for (const event of events) event.hidden = !plain(event.textContent).includes(wanted);
  for (const group of document.querySelectorAll(".events details")) {
    const left = group.querySelectorAll(".event:not([hidden])").length;
    group.hidden = !left;
    if (wanted) group.open = left > 0;
  }
});
