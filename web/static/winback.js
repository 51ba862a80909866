// What every page does in the browser: dialogs, notes, look, jump box, keys. No library but htmx, no inline code.
(function () {
  "use strict";
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window */ } };

  // dialogs: the browser traps the focus, closes on Esc and gives the focus back
  function open(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    all("dialog[open]").forEach((other) => other.close());
    all("details.menu[open]").forEach((menu) => { menu.open = false; });
    dialog.showModal();
    if (id === "jump") startJump();
  }

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const opener = target.closest("[data-opens]");
    if (opener) { event.preventDefault(); open(opener.dataset.opens); return; }
    const closer = target.closest("[data-closes]");
    if (closer) { closer.dataset.closes === "toast" ? closer.closest("[data-toast]").remove() : closer.closest("dialog").close(); return; }
    const look = target.closest("[data-theme]");
    if (look) { window.winbackTheme(look.dataset.theme); showLook(); return; }
    if (target instanceof HTMLDialogElement) {
      const box = target.getBoundingClientRect();
      const outside = event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
      if (outside) target.close();
    }
    all("details.menu[open]").forEach((menu) => { if (!menu.contains(target)) menu.open = false; });
  });

  function showLook() {
    const choice = document.documentElement.dataset.themeChoice;
    all("[data-theme]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.theme === choice)));
  }
  showLook();

  // a form that spends money is sent once, however often it is clicked
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => all("[data-sent]").forEach((form) => { delete form.dataset.sent; }));

  // notes: done goes after 8 s, but not while somebody reads it; refused stays
  function watch(note) {
    if (note.dataset.watched) return;
    note.dataset.watched = "yes";
    if (note.dataset.toast !== "done") return;
    let left = 8000;
    const timer = setInterval(() => {
      if (note.matches(":hover") || note.matches(":focus-within")) return;
      left -= 250;
      if (left <= 0) { clearInterval(timer); note.remove(); }
    }, 250);
  }
  const toasts = one("#toasts");
  if (toasts) {
    const watchAll = () => all("[data-toast]", toasts).forEach(watch);
    new MutationObserver(watchAll).observe(toasts, { childList: true });
    watchAll();
  }

  // jump box: the side bar's entries at once, people, codes and campaigns from the server
  const words = one("#jump-words"), list = one("#jump-list"), none = one("#jump-none");
  let places = [], at = 0, asked = 0, timer = 0;

  function ownPlaces() {
    return all(".side-nav [data-jump]").map((link) => ({ label: link.dataset.jump, hint: link.dataset.key ? "g " + link.dataset.key : "", href: link.href, icon: one("svg", link) }));
  }
  function startJump() {
    words.value = "";
    show(ownPlaces());
  }
  function matching(text) {
    const wanted = text.trim().toLowerCase();
    return ownPlaces().filter((place) => place.label.toLowerCase().includes(wanted));
  }
  function show(found) {
    places = found;
    at = 0;
    list.replaceChildren(...found.map((place, index) => {
      const row = document.createElement("li");
      row.id = "jump-" + index;
      row.setAttribute("role", "option");
      if (place.icon) row.append(place.icon.cloneNode(true));
      const label = document.createElement("span");
      label.textContent = place.label;
      const hint = document.createElement("small");
      hint.textContent = place.hint;
      row.append(label, hint);
      row.addEventListener("click", () => { location.href = place.href; });
      row.addEventListener("mousemove", () => mark(index));
      return row;
    }));
    none.hidden = found.length > 0 || !words.value.trim();
    mark(0);
  }
  function mark(index) {
    at = Math.max(0, Math.min(index, places.length - 1));
    all("[role=option]", list).forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    if (places.length) words.setAttribute("aria-activedescendant", "jump-" + at);
    else words.removeAttribute("aria-activedescendant");
    const row = document.getElementById("jump-" + at);
    if (row) row.scrollIntoView({ block: "nearest" });
  }
  async function ask(text) {
    const number = ++asked;
    try {
      const answer = await fetch(words.dataset.searchUrl + "?q=" + encodeURIComponent(text), { headers: { Accept: "application/json" } });
      if (!answer.ok || number !== asked) return;
      const body = await answer.json();
      const safe = body.items.filter((item) => item.href.startsWith("/") && !item.href.startsWith("//"));
      const kept = at;
      show([...matching(text), ...safe]);
      mark(kept);
    } catch { /* the side bar's places stay */ }
  }
  if (words) {
    words.addEventListener("input", () => {
      clearTimeout(timer);
      asked += 1;
      show(matching(words.value));
      none.hidden = true;
      if (words.value.trim()) timer = setTimeout(ask, 150, words.value);
    });
    words.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") { event.preventDefault(); mark(at + 1); }
      else if (event.key === "ArrowUp") { event.preventDefault(); mark(at - 1); }
      else if (event.key === "Enter" && places[at]) { event.preventDefault(); location.href = places[at].href; }
    });
  }

  // an open menu takes plain keys before anybody else: arrows walk it, a letter goes to the next choice that begins with it
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    const menu = all("details.menu[open]").pop();
    if (!menu || event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select")) return;
    const letter = event.key.length === 1 && event.key !== " ", by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!letter && !by) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const choices = all(".o", menu), at = choices.indexOf(document.activeElement);
    const next = by ? choices[at < 0 && by < 0 ? choices.length - 1 : (at + by + choices.length) % choices.length]
      : [...choices.slice(at + 1), ...choices.slice(0, at + 1)].find((choice) => choice.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()));
    if (next) next.focus();
  }, true);

  // keys: Ctrl-K always; single keys never inside fields, and not at all when switched off
  const single = one("#single-keys");
  if (single) {
    single.checked = remembered("winback-single-keys") !== "off";
    single.addEventListener("change", () => remember("winback-single-keys", single.checked ? "on" : "off"));
  }
  let waitingForG = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open("jump");
      return;
    }
    if (event.key === "Escape") all("details.menu[open]").forEach((menu) => { menu.open = false; one("summary", menu).focus(); });
    const target = event.target;
    const typing = target instanceof Element && (target.closest("input, textarea, select, [contenteditable]") || one("dialog[open]"));
    if (typing || event.ctrlKey || event.metaKey || event.altKey || (single && !single.checked)) return;
    if (Date.now() - waitingForG < 1500) {
      waitingForG = 0;
      const link = one('.side-nav [data-key="' + CSS.escape(event.key) + '"]');
      if (link) { event.preventDefault(); location.href = link.href; }
      return;
    }
    if (event.key === "g") waitingForG = Date.now();
    else if (event.key === "?") { event.preventDefault(); open("keys"); }
    else if (event.key === "/") {
      event.preventDefault();
      const field = one("[data-search]");
      field ? field.focus() : open("jump");
    }
  });
})();
