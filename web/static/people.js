// A dialog that holds a refused form opens again with what was typed.
(function () {
  "use strict";
  const dialog = document.querySelector("dialog[data-open-now]");
  if (dialog) dialog.showModal();
})();
