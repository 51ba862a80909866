// The form of a content in the browser: the e-mail's preview follows the text once it can be read.
(function () {
  "use strict";
  const show = document.querySelector("[data-show-mail]");
  const readable = () => {
    const reads = document.querySelector("#reads");
    return reads && reads.dataset.valid === "yes";
  };
  if (!show) return;
  if (readable()) show.click();
  document.addEventListener("htmx:after:swap", () => { if (readable()) show.click(); });
})();
