// "Selecionar todas" ticks every box of the list; without this file it stays hidden.
for (const label of document.querySelectorAll("[data-all]")) {
  const all = label.querySelector("input");
  const boxes = [...document.querySelectorAll(`input[type="checkbox"][form="${label.dataset.all}"]`)];
  const button = document.querySelector(`#${label.dataset.all} button`);
  const words = button.lastChild.textContent;
  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    button.lastChild.textContent = count ? `${words} (${count})` : words;
  };
  if (!boxes.length) continue;
  label.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  for (const box of boxes) box.addEventListener("change", show);
  show();
}
