// What pages do besides their widgets: a box that scrolls says so, a figure can be seen large, and a link to a term of the glossary
// shows its definition.
(() => {
  // Boxes that hold more than they show have the class "more" until they are scrolled to their end.
  const boxes = document.querySelectorAll(
    ".bd-article .pst-scrollable-table-container, .bd-article .cell_output .output, .bd-article .highlight pre, .bd-article .widget-stand-in > details");
  const look = (box) => {
    const more = box.scrollWidth - box.clientWidth > 2;
    box.classList.toggle("scrolls", more);
    box.classList.toggle("more", more && box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
    if (more && box.tabIndex < 0) box.tabIndex = 0; // the theme gives −1 to what did not scroll when it looked
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => look(target)));
  for (const box of boxes) {
    sizes.observe(box);
    box.addEventListener("scroll", () => look(box), { passive: true });
  }
  document.fonts.addEventListener("loadingdone", () => boxes.forEach(look)); // in its own letters a table may fit

  // A formula that is wider than its page is reached from the keyboard, too; formulas come with MathJax, behind this script.
  const formulas = new ResizeObserver((entries) => {
    for (const { target } of entries)
      if (target.scrollWidth - target.clientWidth > 2) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
  });
  document.querySelector('script[src*="tex-chtml"]')?.addEventListener("load", async () => {
    await MathJax.startup.promise;
    for (const formula of document.querySelectorAll('mjx-container[display="true"]')) formulas.observe(formula);
  });

  // A displayed formula that is too wide for its page is set smaller, down to 11 pixels on a phone; what is wider still scrolls, and says so.
  const displayed = [...document.querySelectorAll(".bd-article div.math")];
  const fit = (place) => {
    const formula = place.querySelector("mjx-container");
    if (!formula) return;
    formula.style.zoom = "";
    const share = formula.clientWidth / formula.scrollWidth;
    if (share < 1) formula.style.zoom = Math.max(0.61, Math.floor(100 * share) / 100);
  };
  for (const place of displayed) {
    new MutationObserver(() => fit(place)).observe(place, { childList: true, subtree: true }); // when MathJax has set it
    fit(place);
  }
  addEventListener("resize", () => displayed.forEach(fit));

  // What a button for copying shows under the pointer is also its name.
  for (const button of document.querySelectorAll("button.copybtn")) button.ariaLabel ??= button.dataset.tooltip;

  // A figure, large: at a click or from the keyboard; gone with Escape, or at a click anywhere. On a phone it is as large as
  // on a desk, and scrolls.
  const large = Object.assign(document.createElement("dialog"), { id: "large-figure" });
  large.addEventListener("click", () => large.close());
  large.addEventListener("close", () => large.replaceChildren());
  for (const pair of document.querySelectorAll(".figure-pair")) {
    const shown = () => [...pair.querySelectorAll("img")].find((image) => image.checkVisibility());
    const button = Object.assign(document.createElement("button"), { className: "enlarge", type: "button", title: "Enlarge this figure" });
    button.ariaLabel = button.title;
    const open = () => {
      const image = shown();
      if (!image) return;
      const copy = Object.assign(new Image(), { src: image.src, alt: image.alt, className: "dark-light" });
      copy.style.aspectRatio = `${image.getAttribute("width")} / ${image.getAttribute("height")}`;
      const close = Object.assign(document.createElement("button"), { className: "close", type: "button", ariaLabel: "Close", textContent: "×" });
      large.ariaLabel = "A figure, large";
      const words = pair.closest("figure")?.querySelector("figcaption")?.cloneNode(true);
      words?.querySelector(".headerlink")?.remove();
      large.replaceChildren(close, copy, ...(words ? [words] : []));
      if (!large.isConnected) document.body.append(large);
      large.showModal();
      large.scrollLeft = (large.scrollWidth - large.clientWidth) / 2; // on a phone one begins in its middle
    };
    pair.addEventListener("click", open); // the button is inside
    pair.append(button);
  }

  // What a link leads to: a definition, a reference, or a figure, table or formula of the page. Under the pointer, at focus, and gone with
  // Escape; the pointer may move onto it.
  const tip = Object.assign(document.createElement("div"), { id: "glossary-tip", popover: "manual" });
  tip.setAttribute("role", "tooltip");
  let link = null, leaving = 0;
  const hide = () => {
    if (!link) return;
    link.removeAttribute("aria-describedby");
    link = null;
    tip.hidePopover();
  };
  const led = (link) => document.getElementById(decodeURIComponent(link.hash.slice(1)))?.closest("figure, div.math");
  const copied = (node) => {
    const image = [...node.querySelectorAll("img")].find((one) => one.checkVisibility()), caption = node.querySelector("figcaption p");
    const copy = image && Object.assign(new Image(), { src: image.currentSrc || image.src, alt: image.alt, width: image.clientWidth, height: image.clientHeight });
    const table = node.querySelector("table")?.cloneNode(true);
    table?.removeAttribute("id");
    return [...(copy ? [copy] : []), (caption ?? node).cloneNode(true), ...(table ? [table] : [])];
  };
  const show = (wanted) => {
    clearTimeout(leaving);
    if (link === wanted) return;
    hide();
    if (!wanted.dataset.tip && !led(wanted).getClientRects().length) return; // covered until it has been guessed
    if (!tip.isConnected) document.body.append(tip);
    link = wanted;
    tip.replaceChildren(...(link.dataset.tip ? [link.dataset.tip] : copied(led(link))));
    link.setAttribute("aria-describedby", tip.id);
    tip.showPopover();
    const { left, top, bottom } = link.getBoundingClientRect(), room = document.documentElement.clientWidth;
    tip.style.left = `${Math.max(8, Math.min(left, room - tip.offsetWidth - 8))}px`;
    tip.style.top = `${bottom + tip.offsetHeight + 12 < innerHeight ? bottom + 6 : Math.max(8, top - tip.offsetHeight - 6)}px`;
  };
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 200);
  };
  if ("popover" in HTMLElement.prototype) {
    const here = [...document.querySelectorAll('.bd-article a.reference.internal[href^="#"]')].filter(led);
    for (const term of [...document.querySelectorAll("a[data-tip]"), ...here]) {
      term.addEventListener("mouseenter", () => show(term));
      term.addEventListener("focus", () => show(term));
      term.addEventListener("mouseleave", leave);
      term.addEventListener("blur", hide);
    }
    tip.addEventListener("mouseenter", () => clearTimeout(leaving));
    tip.addEventListener("mouseleave", leave);
    addEventListener("scroll", hide, { passive: true });
    addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  }
})();

// The header of a narrow page has the page's title once its own has left the screen.
(() => {
  const own = document.querySelector(".bd-article h1"), header = document.querySelector(".bd-header-article");
  if (!own || !header) return;
  const look = () => header.classList.toggle("past-title", own.getBoundingClientRect().bottom < header.offsetHeight);
  addEventListener("scroll", look, { passive: true });
  look();
})();

// The contents beside a page mark the section that is read: the last one that begins above a line at three tenths of the screen. Over the
// last screen the line goes down to the end, so that short sections there have their turn.
(() => {
  const contents = document.querySelector(".page-toc.of-page");
  const sections = [...(contents?.querySelectorAll(":scope > ul > li > a") ?? [])].map((link) => [link, document.getElementById(decodeURIComponent(link.hash.slice(1)))]);
  if (!sections.length) return;
  let marked = null, held = 0, asked = 0;
  const mark = (link) => {
    if (link === marked) return;
    marked?.classList.remove("active");
    marked?.removeAttribute("aria-current");
    marked = link;
    link?.classList.add("active");
    link?.setAttribute("aria-current", "true");
  };
  const look = () => {
    asked = 0;
    if (performance.now() < held) return; // on the way to a section that was asked for
    const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
    const last = Math.max(0, 1 - (scrollHeight - clientHeight - scrollTop) / clientHeight);
    const line = clientHeight * (0.3 + 0.7 * (scrollTop > 0 ? last : 0));
    mark(sections.findLast(([, section]) => section?.getBoundingClientRect().top < line)?.[0] ?? null);
  };
  const soon = () => (asked ||= requestAnimationFrame(look));
  for (const [link] of sections)
    link.addEventListener("click", () => {
      mark(link);
      held = performance.now() + 1000;
    });
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  look();
})();

// The arrow beside a page that has pages below it opens their list; the theme gives it no name.
for (const toggle of document.querySelectorAll("summary:has(> .toctree-toggle)")) {
  const page = toggle.closest("li").querySelector("a");
  toggle.setAttribute("aria-label", `Pages below ${page.textContent.trim()}`);
}
