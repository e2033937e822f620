// Buttons that copy what stands beside them; without this file they stay hidden.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    const words = button.lastChild;
    const before = words.textContent;
    words.textContent = " Copiado";
    setTimeout(() => (words.textContent = before), 2000);
  });
}
