// The page follows the system's light or dark mode, unless a mode was chosen: then the server says it.
// Loaded before the body, so nothing flashes.
(function () {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    root.setAttribute("data-bs-theme", root.dataset.theme || (dark.matches ? "dark" : "light"));
  };
  apply();
  dark.addEventListener("change", apply);
  // Paper is white.
  addEventListener("beforeprint", () => root.setAttribute("data-bs-theme", "light"));
  addEventListener("afterprint", apply);
})();
