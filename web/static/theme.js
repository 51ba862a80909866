// The look before the first paint: the stored choice, else the device's. Loaded without defer, so that nothing flashes.
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function chosen() {
    try { return localStorage.getItem("winback-theme") || "system"; } catch (error) { return "system"; }
  }
  function apply() {
    var choice = chosen();
    root.setAttribute("data-bs-theme", choice === "system" ? (dark.matches ? "dark" : "light") : choice);
    root.setAttribute("data-theme-choice", choice);
  }
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  window.winbackTheme = function (choice) {
    try { localStorage.setItem("winback-theme", choice); } catch (error) { /* private window: only this page */ }
    apply();
    if (choice !== chosen()) root.setAttribute("data-bs-theme", choice);
  };
  apply();
})();
