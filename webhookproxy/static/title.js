// Keeps the number of open problems in the page's title, and a mark on its icon: a tab says it too.
(function () {
  const icon = document.querySelector("link[rel=icon]");
  const title = document.title.replace(/^\([\d.]+\) /, "");

  function show() {
    const place = document.querySelector("[data-open-problems]");
    if (!place) return;
    const count = Number(place.dataset.openProblems);
    document.title = count ? `(${count.toLocaleString("pt-BR")}) ${title}` : title;
    const drawing = count ? icon.dataset.problem : icon.dataset.well;
    if (icon.getAttribute("href") !== drawing) icon.setAttribute("href", drawing);
  }

  document.addEventListener("drawn", show);
  show();
})();
