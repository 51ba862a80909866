// The feed of redemptions asks again every few seconds, but not while nobody looks.
(function () {
  "use strict";
  const box = document.querySelector("[data-poll]");
  if (!box) return;
  const every = Math.max(10, Number(box.dataset.every)) * 1000;
  let asked = Date.now(), waiting = false;
  async function ask() {
    if (document.hidden || waiting || Date.now() - asked < every) return;
    waiting = true;
    asked = Date.now();
    try {
      const answer = await fetch(box.dataset.poll, { headers: { "HX-Request": "true" } });
      const moved = box.contains(document.activeElement);
      if (answer.ok && !moved) box.innerHTML = await answer.text();
    } catch { /* the next time */ } finally { waiting = false; }
  }
  setInterval(ask, 1000);
  document.addEventListener("visibilitychange", ask);
})();
