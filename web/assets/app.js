// Small comforts. Every page works without this file.

// Facts that belong together are copied together.
function groups() {
  const all = new Map();
  for (const out of document.querySelectorAll("[data-copy]")) {
    const key = out.classList.contains("key") ? out : out.closest(".facts") ?? out;
    all.set(key, [...(all.get(key) ?? []), out]);
  }
  return all.values();
}

if (navigator.clipboard) {
  for (const outs of groups()) {
    const last = outs.at(-1);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small copy";
    const label = document.createElement("span");
    label.setAttribute("aria-live", "polite");
    label.textContent = last.dataset.copyLabel;
    button.append(label);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(outs.map((out) => out.dataset.copy).join(" "));
        label.textContent = last.dataset.copiedLabel;
      } catch {
        getSelection().selectAllChildren(last);
      }
      setTimeout(() => { label.textContent = last.dataset.copyLabel; }, 2500);
    });
    last.after(button);
  }
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
    setTimeout(free, 4000, form); // a download leaves the page as it is
  });
}
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(free));

function free(form) {
  delete form.dataset.sent;
  form.removeAttribute("aria-busy");
}

// The first field that is wrong is where one goes on.
document.querySelector("[aria-invalid=true]")?.focus();
