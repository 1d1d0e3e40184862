// On the search page: pages and terms whose name is asked for, before the pages in which the words occur.
// Their names are in search_names.js (livegrad_site/search.py): [what to show, address, [names]].
"use strict";

// One spelling: "β₂" is "β2", "Optimisers" is "optimizers", "Leaky-ReLU" and "leaky_relu" are "leaky relu".
const spell = (text) => text.normalize("NFKC").toLowerCase().replace(/[-_‐‑–'’.,:;!?()/]+/g, " ")
  .replace(/is(e|er|ed|ing|ation)(s?)(?= |$)/g, "iz$1$2").replace(/behaviour|colour/g, (w) => w.replace("our", "or"))
  .replace(/centre/g, "center").trim().replace(/\s+/g, " ");

// Number of letters to insert, delete, change or swap with the next: at most `limit`, else Infinity.
const distance = (a, b, limit) => {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let [before, last] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(change, last[j] + 1, row[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length] <= limit ? last[b.length] : Infinity;
};

// Short words and words of letters other than ours have to be right; of the others one letter in four may be wrong, two at most.
const misspelt = (word, meant, forgiving) => {
  if (word === meant) return 0;
  return forgiving && /^[a-z]+$/.test(word) ? distance(word, meant, Math.min(2, Math.floor(word.length / 4))) : Infinity;
};

// How far a name is from what was asked, from 0 (the same) to Infinity (another thing).
const far = (asked, name, forgiving) => {
  if (asked === name) return 0;
  const whole = misspelt(asked.replaceAll(" ", ""), name.replaceAll(" ", ""), forgiving);
  if (whole < Infinity) return 0.1 + whole;
  const words = asked.split(" "), parts = name.split(" ");
  const nearest = (word, among) => Math.min(...among.map((other) => misspelt(word, other, forgiving)));
  const mistakes = words.reduce((sum, word) => sum + nearest(word, parts), 0);
  if (mistakes < Infinity) return 1 + mistakes + (parts.length - words.length) / parts.length; // asked: a part of the name
  const inside = parts.reduce((sum, part) => sum + nearest(part, words), 0);
  return inside < Infinity ? 4 + inside - parts.length / 10 : Infinity; // the name is a part of what was asked
};

const bestPages = (query, entries, most = 5) => {
  const asked = spell(query);
  if (!asked) return [];
  const search = (forgiving) => entries.map(([shown, address, names]) => ({
    shown, address, far: Math.min(...names.map((name) => far(asked, spell(name), forgiving))),
  })).filter((found) => found.far < Infinity).sort((a, b) => a.far - b.far).slice(0, most);
  const exact = search(false);
  if (exact[0]?.far < 3) return exact;
  const alike = search(true); // where no name was asked for as it is written
  return exact.length && exact[0].far <= alike[0].far ? exact : alike;
};

(() => {
  const results = document.querySelector("#search-results");
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const found = results ? bestPages(query, window.searchNames ?? []) : [];
  if (!found.length) return;
  const box = document.createElement("section");
  box.className = "lg-best";
  box.setAttribute("aria-label", "Pages on this topic");
  const title = Object.assign(document.createElement("h2"), { textContent: "Pages on this topic" });
  const list = document.createElement("ol");
  for (const { shown, address } of found) {
    const link = Object.assign(document.createElement("a"), { href: address, textContent: shown });
    list.append(document.createElement("li"));
    list.lastElementChild.append(link);
  }
  box.append(title, list);
  results.before(box);
})();
