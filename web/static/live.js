// A list that asks again every few seconds, but not while nobody looks, somebody reads in it, or it is paused.
(function () {
  "use strict";
  const box = document.querySelector("[data-poll]");
  if (!box) return;
  const every = Math.max(3, Number(box.dataset.every)) * 1000;
  const said = document.querySelector("[data-poll-said]"), pause = document.querySelector("[data-poll-pause]");
  let asked = Date.now(), waiting = false, paused = false, shown = null;

  function show(text) {
    if (text === shown) return;
    shown = text;
    box.innerHTML = text;
    const words = box.querySelector("[data-said]");
    if (said && words && said.textContent !== words.dataset.said) said.textContent = words.dataset.said;
  }
  async function ask() {
    if (document.hidden || paused || waiting || Date.now() - asked < every) return;
    waiting = true;
    asked = Date.now();
    try {
      const answer = await fetch(box.dataset.poll, { headers: { "HX-Request": "true" }, redirect: "error" });
      const text = answer.ok ? await answer.text() : null;
      if (text !== null && !paused && !box.contains(document.activeElement)) show(text);
    } catch { /* the next time */ } finally { waiting = false; }
  }
  setInterval(ask, 1000);
  document.addEventListener("visibilitychange", ask);
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      document.querySelectorAll("[data-poll-live]").forEach((mark) => { mark.hidden = paused; });
      if (!paused) asked = 0;
      ask();
    });
  }
})();
