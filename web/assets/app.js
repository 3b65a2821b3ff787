// Small comforts. Every page works without this file.

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  throw new Error("no clipboard");
}

for (const out of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small copy";
  const label = document.createElement("span");
  label.setAttribute("aria-live", "polite");
  label.textContent = out.dataset.copyLabel;
  button.append(label);
  button.addEventListener("click", async () => {
    try {
      await copy(out.dataset.copy);
      label.textContent = out.dataset.copiedLabel;
    } catch {
      getSelection().selectAllChildren(out);
    }
    setTimeout(() => { label.textContent = out.dataset.copyLabel; }, 2500);
  });
  out.after(button);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// One click, one request: a second one would spend the code of the first.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    form.setAttribute("aria-busy", "true");
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

// The first field that is wrong is where one goes on.
document.querySelector("[aria-invalid=true]")?.focus();
