// The page follows the system's light or dark mode. Loaded before the body, so nothing flashes.
(function () {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  };
  apply();
  dark.addEventListener("change", apply);
  // Paper is white.
  addEventListener("beforeprint", () => document.documentElement.setAttribute("data-bs-theme", "light"));
  addEventListener("afterprint", apply);
})();
