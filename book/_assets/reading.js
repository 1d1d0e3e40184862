// Help for those who read on: large figures, links to sections, the place where they stopped. Deferred, as site.js.
"use strict";

// A figure opens in the whole window. The button stays in the figure's corner, so nothing moves when it appears.
(() => {
  const dialog = document.createElement("dialog");
  dialog.className = "lg-large";
  dialog.setAttribute("aria-label", "Figure, enlarged");
  const close = Object.assign(document.createElement("button"), { type: "button", className: "lg-large-close", textContent: "Close" });
  const room = Object.assign(document.createElement("div"), { className: "lg-large-room", tabIndex: 0 });
  room.setAttribute("role", "group");
  room.setAttribute("aria-label", "Enlarged figure; it scrolls");
  dialog.append(close, room);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => room.replaceChildren());

  for (const [number, figure] of [...document.querySelectorAll(".bd-article .lg-figure")].entries()) {
    const picture = figure.querySelector("svg");
    if (!picture) continue;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "lg-enlarge", textContent: "⤢" });
    button.setAttribute("aria-label", `Enlarge figure ${number + 1} of this page`);
    button.addEventListener("click", () => {
      if (!dialog.isConnected) document.body.append(dialog);
      const copy = picture.cloneNode(true);
      copy.removeAttribute("style");
      room.replaceChildren(copy);
      dialog.showModal();
    });
    figure.append(button);
  }
})();

// The switches under the title: all outputs of the page, with their captions, and all folded code. They hold for this page
// only: on the next one a reader would look for figures that he did not hide there.
(() => {
  const [outputs, code] = ["outputs", "code"].map((what) => document.querySelector(`.lg-switch-${what}`));
  const article = document.querySelector(".bd-article");
  const hide = (hidden) => {
    article.classList.toggle("lg-no-outputs", hidden);
    outputs.setAttribute("aria-pressed", hidden);
  };
  outputs?.addEventListener("click", () => hide(outputs.getAttribute("aria-pressed") === "false"));
  // A link to a hidden figure would lead nowhere: it shows the outputs again.
  if (outputs) addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href*="#"]');
    if (!link || link.href.split("#")[0] !== location.href.split("#")[0]) return;
    if (document.getElementById(decodeURIComponent(link.hash.slice(1)))?.closest(".cell_output")) hide(false);
  });

  const folds = [...document.querySelectorAll(".bd-article details.lg-cell-fold")];
  code?.addEventListener("click", () => {
    const open = code.getAttribute("aria-pressed") === "false";
    for (const fold of folds) fold.open = open;
  });
  // Folds are opened one by one too, by readers and by the browser's search.
  if (code) for (const fold of folds) {
    fold.addEventListener("toggle", () => code.setAttribute("aria-pressed", folds.every((f) => f.open)));
  }
})();

// The mark behind a heading copies the heading's address.
(() => {
  for (const link of document.querySelectorAll("a.headerlink")) {
    link.addEventListener("click", async () => {
      const mark = link.textContent;
      try {
        await navigator.clipboard.writeText(link.href);
        link.textContent = "✓";
        link.title = "Address copied";
        setTimeout(() => { link.textContent = mark; }, 1500);
      } catch { /* the address stands in the address bar */ }
    });
  }
})();

// Access keys (with Alt, Alt+Shift or Ctrl+Alt, as the browser has it) for the next and the previous chapter.
(() => {
  for (const [selector, key] of [[".right-next", "n"], [".left-prev", "p"]]) {
    const link = document.querySelector(selector);
    if (!link) continue;
    link.accessKey = key;
    link.title = `${link.title || link.textContent.trim().replace(/\s+/g, " ")} (access key ${key.toUpperCase()})`;
  }
})();

// The heading at which the reader stands, for a report of a mistake and for coming back.
(() => {
  const headings = [...document.querySelectorAll(".bd-article section[id]")];
  const section = () => headings.filter((s) => s.getBoundingClientRect().top < 150).at(-1)?.id ?? "";

  for (const link of document.querySelectorAll('a[href*="template=mistake.yml"]')) {
    const address = link.href;
    link.addEventListener("click", () => { link.href = section() ? `${address}%23${section()}` : address; });
  }

  // Kept in this browser only. The store is refused in some private windows: then there is nothing to come back to.
  const key = "live-gradients-place";
  const home = document.querySelector("#the-map-of-the-book");
  const root = new URL(document.documentElement.dataset.content_root, location.href).href;
  try {
    if (home) {
      const place = JSON.parse(localStorage.getItem(key) ?? "null");
      if (!place) return;
      const link = Object.assign(document.createElement("a"), { textContent: place.title, href: "" });
      link.href = new URL(place.page, document.baseURI).href;
      if (!link.href.startsWith(root)) return; // not written by us
      const line = Object.assign(document.createElement("p"), { className: "lg-continue", textContent: "Where you stopped last: " });
      line.append(link);
      home.querySelector("h2").after(line);
    } else if (document.querySelector(".lg-orientation")) {
      const title = document.querySelector("h1").cloneNode(true);
      title.querySelectorAll(".headerlink").forEach((e) => e.remove());
      addEventListener("pagehide", () => {
        const page = location.href.split("#")[0].slice(root.length) + (section() ? `#${section()}` : "");
        localStorage.setItem(key, JSON.stringify({ page, title: title.textContent }));
      });
    }
  } catch { /* nothing to keep, nothing lost */ }
})();
