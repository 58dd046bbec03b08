/* Questions and guesses in the page (book/_ext/questions.py). What is right stands in the page already, so that it works offline. */
(() => {
  const number = (text) => {
    const found = text.replaceAll("−", "-").replaceAll(",", "").match(/[-+]?\d*\.?\d+/);
    return found ? Number(found[0]) : NaN;
  };
  const short = (value, like) => {
    const digits = like.match(/\.(\d+)/)?.[1].length ?? 0;
    return value.toFixed(digits);
  };

  for (const form of document.querySelectorAll("form.question")) {
    const told = form.querySelector("[role=status]"), why = form.querySelector("details"), boxes = [...form.querySelectorAll("input")];
    form.querySelector("[type=submit]").hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!boxes.some((box) => box.checked)) return void (told.textContent = "Choose an answer first.");
      const right = boxes.every((box) => box.checked === (box.dataset.right === "1"));
      for (const box of boxes) box.closest("label").dataset.was = box.checked ? (box.dataset.right === "1" ? "right" : "wrong") : "";
      told.textContent = right ? "Right." : "Not yet: choose again, or read why below.";
      if (right) why.open = true;
    });
    form.addEventListener("change", () => (told.textContent = ""));
  }

  // A guess is compared before the figure that it is about is uncovered.
  for (const form of document.querySelectorAll("form.guess")) {
    const told = form.querySelector("[role=status]"), field = form.querySelector("input"), why = form.querySelector("details");
    const { unit, hides } = form.dataset, cover = document.querySelector(`style.cover[data-of="${hides}"]`);
    const uncover = () => {
      cover?.remove();
      why.open = true;
    };
    form.querySelector(".row").hidden = false;
    const skip = form.querySelector(".skip");
    skip.hidden = !cover;
    skip.addEventListener("click", () => {
      uncover();
      skip.hidden = true;
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const guessed = number(field.value), text = form.querySelector(".number").textContent, truth = number(text);
      if (Number.isNaN(guessed)) return void (told.textContent = "Type a number first.");
      const off = Math.abs(guessed - truth), close = Number(short(off, text)) === 0;
      told.textContent = `You said ${field.value.trim()}; it is ${text.trim()}. ${close ? "Exactly." : `Off by ${short(off, text)}${unit && ` ${unit}`}, too ${guessed > truth ? "high" : "low"}.`}`;
      uncover();
      skip.hidden = true;
    });
    // A link to a covered figure is a wish to see it.
    const arrived = () => location.hash === `#${hides}` && hides && uncover();
    addEventListener("hashchange", arrived);
    arrived();
  }
})();
