// What the pages do beyond what the browser does by itself. Deferred: the page is there before it runs.
"use strict";

// Boxes that scroll sideways can be reached by keyboard; boxes that do not are no stop on the way.
(() => {
  const boxes = document.querySelectorAll(".math-scroll, span.math, .pst-scrollable-table-container, .bd-article pre");
  const update = (box) => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target)));
  boxes.forEach((box) => observer.observe(box));
  // A font that arrives late widens what a box holds, and not the box.
  document.fonts?.addEventListener("loadingdone", () => boxes.forEach(update));
})();

// "Copy the file" copies exactly the file that the page shows.
(() => {
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Pages opened from a folder have no clipboard object in some browsers.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  for (const figure of document.querySelectorAll(".lg-module")) {
    const button = figure.querySelector(".lg-module-copy");
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await copy(figure.querySelector("pre").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied: please use the download";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
})();
