// A page whose title names what is searched for comes first, then chapters and the glossary; code comes last.
var Scorer = {
  score: ([docname, title, anchor, descr, score]) => {
    const asked = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().match(/[\p{L}\d]+/gu) ?? [];
    const name = title.toLowerCase();
    const named = !anchor && !descr && asked.length && asked.every((word) => name.includes(word.replace(/s$/, "")));
    return score + (named ? 200 : 0) + (docname.startsWith("chapters/") ? 10 : 0) - (docname.startsWith("book/api") ? 100 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
