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
for (const hint of document.querySelectorAll("[data-without-scripts]")) hint.hidden = true;

// One click, one request: a second one would spend the code of the first. The
// answer to a download is no page, and may be wanted again.
for (const form of document.querySelectorAll("form:not([data-download])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    form.setAttribute("aria-busy", "true");
    setTimeout(free, 4000, form); // an answer that never came
  });
}
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(free));

function free(form) {
  delete form.dataset.sent;
  form.removeAttribute("aria-busy");
}

// The first field that is wrong is where one goes on; of several that are wrong
// together, the one that the page names.
(document.querySelector("[aria-invalid=true][autofocus]") ?? document.querySelector("[aria-invalid=true]"))?.focus();
