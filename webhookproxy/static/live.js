// Keeps the parts of a page that change up to date. The server sends the HTML of a part, drawn by
// the same template as in the page, whenever it differs from what it sent before.
(function () {
  // The server says that it is there every 5 s at least.
  const LOST_AFTER = 12000;
  const AGAIN_AFTER = 3000;
  const ANSWERS_WITHIN = 5000;
  // A tab that no one looks at asks this seldom, for the number in its title.
  const HIDDEN_AGAIN_AFTER = 60000;
  const notice = document.querySelector(".live-lost");
  let source = null;
  let watchdog = 0;

  function heard() {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, LOST_AFTER);
    notice.hidden = notice.querySelector(".live-unsent").hidden = true;
    document.body.classList.remove("is-stale");
  }

  // What cannot be kept up to date must not go on looking as if it were.
  function lost() {
    close();
    notice.hidden = false;
    document.body.classList.add("is-stale");
    if (document.hidden) rest();
    else watchdog = setTimeout(open, AGAIN_AFTER);
  }

  function open() {
    close();
    source = new EventSource(document.body.dataset.live);
    source.addEventListener("part", (event) => {
      heard();
      window.showPart(JSON.parse(event.data));
    });
    source.addEventListener("beat", () => (document.hidden ? rest() : heard()));
    source.addEventListener("over", () => location.reload());
    source.onerror = lost;
    watchdog = setTimeout(lost, LOST_AFTER);
  }

  // A browser allows six connections to a host: a hidden page must not hold one. Only a page that
  // counts problems in its title goes on asking, from time to time.
  function rest() {
    close();
    if (document.querySelector("[data-open-problems]")) watchdog = setTimeout(open, HIDDEN_AGAIN_AFTER);
  }

  function close() {
    clearTimeout(watchdog);
    if (source) source.close();
    source = null;
  }

  // A form sent to a server that is gone would end on the browser's own error page.
  document.addEventListener("submit", async (event) => {
    if (notice.hidden || event.defaultPrevented) return;
    event.preventDefault();
    const { target: form, submitter } = event;
    try {
      const small = document.querySelector("link[rel=icon]").href;
      await fetch(small, { cache: "no-store", signal: AbortSignal.timeout(ANSWERS_WITHIN) });
    } catch {
      notice.querySelector(".live-unsent").hidden = false;
      notice.scrollIntoView({ block: "center" });
      return;
    }
    notice.hidden = true;
    form.requestSubmit(submitter);
  });

  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : open()));
  addEventListener("pagehide", close);
  if (document.hidden) rest();
  else open();
})();
