// What pages do besides their widgets: a box that scrolls says so, and a link to a term of the glossary shows its definition.
(() => {
  // Boxes that hold more than they show have the class "more" until they are scrolled to their end.
  const boxes = document.querySelectorAll(
    ".bd-article .pst-scrollable-table-container, .bd-article .cell_output .output, .bd-article .highlight pre, .bd-article .widget-stand-in details");
  const look = (box) => {
    const more = box.scrollWidth - box.clientWidth > 2;
    box.classList.toggle("scrolls", more);
    box.classList.toggle("more", more && box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
    if (more && !box.hasAttribute("tabindex")) box.tabIndex = 0;
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => look(target)));
  for (const box of boxes) {
    sizes.observe(box);
    box.addEventListener("scroll", () => look(box), { passive: true });
  }

  // What a button for copying shows under the pointer is also its name.
  for (const button of document.querySelectorAll("button.copybtn")) button.ariaLabel ??= button.dataset.tooltip;

  // Definitions: under the pointer, at focus, and gone with Escape; the pointer may move onto them.
  const tip = Object.assign(document.createElement("div"), { id: "glossary-tip", popover: "manual" });
  tip.setAttribute("role", "tooltip");
  let link = null, leaving = 0;
  const hide = () => {
    if (!link) return;
    link.removeAttribute("aria-describedby");
    link = null;
    tip.hidePopover();
  };
  const show = (wanted) => {
    clearTimeout(leaving);
    if (link === wanted) return;
    hide();
    if (!tip.isConnected) document.body.append(tip);
    link = wanted;
    tip.textContent = link.dataset.tip;
    link.setAttribute("aria-describedby", tip.id);
    tip.showPopover();
    const { left, top, bottom } = link.getBoundingClientRect(), room = document.documentElement.clientWidth;
    tip.style.left = `${Math.max(8, Math.min(left, room - tip.offsetWidth - 8))}px`;
    tip.style.top = `${bottom + tip.offsetHeight + 12 < innerHeight ? bottom + 6 : top - tip.offsetHeight - 6}px`;
  };
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 200);
  };
  if ("popover" in HTMLElement.prototype) {
    for (const term of document.querySelectorAll("a[data-tip]")) {
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
