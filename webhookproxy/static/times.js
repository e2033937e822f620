// Keeps the relative times of a page true while it stays open, in the words of formats.ago. The
// server's clock counts: this machine's may be wrong.
(function () {
  const EVERY = 10000;
  const UNITS = [[86400, "dia", "dias"], [3600, "h", "h"], [60, "min", "min"]];
  const ahead = Number(document.body.dataset.now) - Date.now();

  function ago(instant) {
    const since = (Date.now() + ahead - instant) / 1000;
    const seconds = Math.abs(since);
    if (seconds < 60) return since < 0 ? `em ${Math.max(1, Math.round(seconds))} s` : "agora mesmo";
    const [size, one, many] = UNITS.find(([size]) => seconds >= size);
    const count = Math.floor(seconds / size);
    return `${since < 0 ? "em" : "há"} ${count} ${count === 1 ? one : many}`;
  }

  function tick() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const words = ago(Date.parse(time.dateTime));
      // A text that is written again, though the same, would end a selection.
      if (time.textContent !== words) time.textContent = words;
    }
  }

  setInterval(tick, EVERY);
  document.addEventListener("visibilitychange", tick);
})();
