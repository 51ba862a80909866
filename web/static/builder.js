// The segment builder in the browser: chips open and close, changes are sent, keys. The rule itself is worked on by the server.
(function () {
  "use strict";
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const form = () => one("#builder");
  let resting = 0, leaving = false, wanted = "";

  function send() {
    clearTimeout(resting);
    resting = 0;
    if (form()) htmx.trigger(form(), "edited");
  }
  const press = (selector, within = document) => {
    const button = one(selector, within);
    if (button && !button.disabled) button.click();
    return Boolean(button);
  };
  const isOurs = (element) => element instanceof Element && element.form === form() && !element.closest("[data-quiet]");

  // typing rests half a second before it is sent, choosing is sent at once
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.matches && field.matches(".picker input[type=text]")) { offer(field); return; }
    if (!isOurs(field) || field.matches("select, input[type=checkbox]")) return;
    clearTimeout(resting);
    resting = setTimeout(send, 500);
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (!isOurs(field)) return;
    if (field.matches("select, input[type=checkbox], input[type=date]") || resting) send();
  });

  // chips: one open at a time; the form says which, so that the server draws it open
  document.addEventListener("toggle", (event) => {
    const chip = event.target;
    if (!(chip instanceof Element)) return;
    if (chip.matches(".chip")) {
      const said = one("#open-chip");
      if (chip.open) {
        all(".chip[open], #builder .menu[open]").forEach((other) => { if (other !== chip) other.open = false; });
        said.value = chip.dataset.chip;
        fill(chip);
        if (!chip.contains(document.activeElement) || document.activeElement.matches("summary")) {
          const first = one("select, input:not([type=hidden])", chip);
          if (first && !matchMedia("(max-width: 760px)").matches) first.focus();
        }
        place(chip);
      } else if (said.value === chip.dataset.chip) {
        said.value = "";
        if (resting) send();
      }
    } else if (chip.open && chip.matches(".chip[open] .fold")) fill(chip);
  }, true);
  document.addEventListener("pointerdown", (event) => {
    all(".chip[open]").forEach((chip) => { if (!chip.contains(event.target)) chip.open = false; });
  });
  // a pop-over that would leave the window at the right edge is moved back in
  function place(chip) {
    const box = one(".edit", chip);
    box.classList.remove("from-right");
    if (box.getBoundingClientRect().right > document.documentElement.clientWidth - 8) box.classList.add("from-right");
  }

  // pickers: values from the data
  async function offer(field, text = field.value) {
    const picker = field.closest(".picker");
    const number = (picker.asked = (picker.asked || 0) + 1);
    if (picker.asking) picker.asking.abort();
    picker.asking = new AbortController();
    await new Promise((resolve) => setTimeout(resolve, text ? 180 : 0));
    if (number !== picker.asked) return;
    try {
      const answer = await fetch(picker.dataset.url + "&q=" + encodeURIComponent(text), { headers: { "HX-Request": "true" }, signal: picker.asking.signal });
      if (!answer.ok || number !== picker.asked) return;
      one(".offered", picker).innerHTML = await answer.text();
      picker.dataset.filled = "yes";
      settle(picker);
    } catch { /* what was offered stays */ }
  }
  function fill(within) {
    all(".picker", within).forEach((picker) => {
      const fold = picker.closest(".fold");
      if (!picker.dataset.filled && (!fold || fold.open)) offer(one("input[type=text]", picker));
    });
  }
  // what is picked stands above; the same value is not offered twice
  function settle(picker) {
    const picked = new Set(all(".picked input", picker).map((box) => box.value));
    all(".offered .o", picker).forEach((row) => {
      const box = one("input", row), taken = picked.has(box.value);
      row.hidden = taken;
      box.disabled = taken;
      box.checked = false;
    });
  }

  // after each answer fields show what the server says, but for the one being typed in
  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.target;
    if (!form() || (source instanceof Element && source.id === "ask")) return;
    all("#builder input, #builder select").forEach((field) => {
      if (field === document.activeElement && field.matches("input[type=text]") && !field.name.endsWith(".add")) return;
      if (field.closest(".offered")) return;
      if (field.matches("input[type=checkbox]")) field.checked = field.defaultChecked;
      else if (field.matches("select")) {
        const wanted = [...field.options].findIndex((option) => option.defaultSelected);
        if (wanted >= 0) field.selectedIndex = wanted;
      } else if (field.type !== "hidden" || field.value !== field.getAttribute("value")) field.value = field.getAttribute("value") || "";
    });
    all("#builder .picker").forEach(settle);
    if (wanted) {
      const row = document.getElementById(wanted) || rows().pop();
      wanted = "";
      if (row) row.focus();
    }
    // what is open stays open: an answer that was asked for earlier does not know of it (htmx-config: morphIgnore)
    const opened = one(".chip[open]");
    one("#open-chip").value = opened ? opened.dataset.chip : "";
    if (opened) {
      fill(opened);
      place(opened);
      if (!one("#builder").contains(document.activeElement)) {
        const first = one("select, input:not([type=hidden])", opened);
        if (first && !matchMedia("(max-width: 760px)").matches) first.focus();
      }
    }
  });

  // What is on show belongs to the draft before until its own answer is there. What is still being asked about that
  // draft is cut short, and what waits behind it is not begun: nobody would look at it.
  const FIGURES = "#ask, #aside *, #months *, #sample *, #reach *, #shape *, #overlap *";
  let unanswered = 0, cut = "";
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target === form()) {
      unanswered += 1;
      cut = form().dataset.mark;
      one("#ask").dispatchEvent(new Event("htmx:abort"));  // not by htmx.trigger: it would rise to the form itself
    } else if (unanswered && event.target instanceof Element && event.target.matches(FIGURES)) event.preventDefault();
  });
  document.addEventListener("htmx:before:swap", (event) => { if (event.target === form()) unanswered = 0; });
  document.addEventListener("htmx:finally:request", (event) => {
    if (event.target !== form()) return;
    unanswered = Math.max(0, unanswered - 1);
    // an answer about the same people (another language, say) or none brings no new question: the old one goes on
    if (!unanswered && cut && cut === form().dataset.mark) htmx.trigger(one("#ask"), "again");
    if (!unanswered) cut = "";
  });
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target === form()) all("#aside > *, #months > *, #sample > *, #reach > *, #shape > *, #overlap > *").forEach((figure) => figure.classList.add("old"));
  });

  // leaving with a draft that is not saved asks first
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-save], [value^='save']") : null;
    if (button) leaving = true;
    const done = event.target instanceof Element ? event.target.closest("[data-done]") : null;
    if (done) {
      const chip = done.closest(".chip");
      one("summary", chip).focus();
      chip.open = false;
    }
    if (event.target instanceof Element && event.target.closest("#builder .menu .o")) all("#builder .menu[open]").forEach((menu) => { menu.open = false; });
  });
  document.addEventListener("htmx:after:request", () => { setTimeout(() => { leaving = false; }, 1500); });
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && form() && form().dataset.changed === "yes" && form().dataset.touched) event.preventDefault();
  });
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target === form()) form().dataset.touched = "yes";
  });

  // whoever leaves waits for nothing more: the database need not work on
  window.addEventListener("pagehide", () => { if (form()) navigator.sendBeacon(form().dataset.stop, new FormData(form())); });

  // keys
  const rows = () => all("#builder [data-row]");
  function go(from, by) {
    const list = rows(), at = from ? list.indexOf(from) : by > 0 ? -1 : list.length;
    const next = list[at + by];
    if (next) next.focus();
  }
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    const chip = target.closest(".chip[open]");
    if (event.key === "Escape" && chip) {
      event.stopPropagation();
      chip.open = false;
      one("summary", chip).focus();
      return;
    }
    if (event.key === "Enter" && target.matches("#builder .edit input")) {
      event.preventDefault();
      send();
      if (!target.matches(".picker input")) { chip.open = false; one("summary", chip).focus(); }
      return;
    }
    if (target.closest("input, textarea, select") || one("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      press(event.shiftKey ? "[data-redo]" : "[data-undo]");
      return;
    }
    const row = target.closest("[data-row]");
    if (event.altKey && row && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      const path = row.dataset.row.split("."), up = event.key === "ArrowUp";
      path.push(Math.max(0, Number(path.pop()) + (up ? -1 : 1)));
      wanted = "row-" + path.join("_");
      press(`[value="${up ? "up" : "down"}:${row.dataset.row}"]`);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || (one("#single-keys") && !one("#single-keys").checked)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (target.closest(".pop") || (!row && !target.matches("body, #main, #builder *"))) return;
      event.preventDefault();
      go(row, event.key === "ArrowDown" ? 1 : -1);
    } else if (row && target === row && event.key === "Enter") {
      event.preventDefault();
      const first = one(".chip > summary", row);
      if (first) first.click();
    } else if (row && target === row && (event.key === "Delete" || event.key === "Backspace")) {
      event.preventDefault();
      wanted = row.id;
      press(`[value="delete:${row.dataset.row}"]`);
    } else if (event.key === "c") {
      event.preventDefault();
      const menu = one("[data-add]");
      menu.open = true;
      one(".o", menu).focus();
    } else if (event.key === "C") {
      event.preventDefault();
      press("[data-add-group]");
    }
  });
})();
