// Buttons that copy what stands beside them; without this file they stay hidden.
if (navigator.clipboard) {
  const show = (root) => {
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  };
  show(document);
  // A live part that was drawn again has new buttons.
  document.addEventListener("drawn", (event) => show(event.target));
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    const words = button.lastChild;
    const before = words.textContent;
    words.textContent = " Copiado";
    setTimeout(() => (words.textContent = before), 2000);
  });
}
