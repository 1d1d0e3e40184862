// What the pages do beyond what the browser does by itself. Deferred: the page is there before it runs.
"use strict";

// Boxes that scroll sideways can be reached by keyboard; boxes that do not are no stop on the way.
(() => {
  const boxes = document.querySelectorAll(".math-scroll, span.math, .pst-scrollable-table-container, .bd-article pre");
  // All are read before one is changed: a change between two readings would have the page laid out anew for each box.
  const update = (list) => {
    const wide = list.map((box) => box.scrollWidth > box.clientWidth + 1);
    list.forEach((box, i) => {
      if (wide[i]) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  };
  const observer = new ResizeObserver((entries) => update(entries.map((entry) => entry.target)));
  boxes.forEach((box) => observer.observe(box));
  // A font that arrives late widens what a box holds, and not the box.
  document.fonts?.addEventListener("loadingdone", () => update([...boxes]));
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

// What can be taken in the hand comes when the page can be read. Its room is kept free (styles/explorables.css).
addEventListener("load", () => {
  const names = [...document.querySelectorAll(".lg-explorable[data-script]")].map((e) => e.dataset.script);
  for (const src of new Set(names)) document.head.append(Object.assign(document.createElement("script"), { src }));
});
