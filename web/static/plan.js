// Forms of campaigns and journeys: find a category, insert an example, jump to a problem, warn before typed text is lost.
(function () {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  all("[data-pick]").forEach((box) => {
    const words = box.querySelector("[data-pick-words]");
    if (!words) return;
    words.addEventListener("input", () => {
      const wanted = words.value.trim().toLowerCase();
      let shown = 0;
      all(".tick", box).forEach((row) => {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) shown += 1;
      });
      box.querySelector("[data-pick-none]").hidden = shown > 0;
    });
    words.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  });

  const text = document.getElementById("draft");
  if (text) {
    document.addEventListener("click", (event) => {
      const target = event.target instanceof Element ? event.target : null;
      const insert = target && target.closest("[data-insert]");
      const find = target && target.closest("[data-find]");
      if (insert) {
        text.focus();
        // execCommand keeps the browser's own undo
        if (!document.execCommand("insertText", false, insert.dataset.insert)) text.setRangeText(insert.dataset.insert, text.selectionStart, text.selectionEnd, "end");
      }
      if (find) select(find.dataset.find);
    });
  }

  // the last name of a path such as steps.mail_a.next that stands in the text, looked for from left to right
  function select(place) {
    const line = /^line (\d+), column (\d+)$/.exec(place);
    let start = 0, end = 0;
    if (line) {
      const lines = text.value.split("\n");
      start = lines.slice(0, Number(line[1]) - 1).reduce((sum, each) => sum + each.length + 1, 0) + Number(line[2]) - 1;
      end = start + 1;
    } else {
      let from = 0;
      for (const name of place.split(/[.[\]]+/).filter(Boolean)) {
        const at = text.value.indexOf('"' + name + '"', from);
        if (at < 0) continue;
        start = at + 1;
        end = start + name.length;
        from = end;
      }
    }
    text.focus();
    text.setSelectionRange(start, end);
    const row = text.value.slice(0, start).split("\n").length;
    text.scrollTop = Math.max(0, (row - 6) * 18);
  }

  all("form[data-keep]").forEach((form) => {
    let changed = Boolean(form.querySelector("[aria-invalid=true]"));
    form.addEventListener("input", () => { changed = true; });
    form.addEventListener("submit", () => { changed = false; });
    window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  });
})();
