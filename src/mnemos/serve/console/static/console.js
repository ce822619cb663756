// What the pages gain by script: keys, levels opened in place, progress as it goes. Everything else works without.

document.documentElement.classList.add("js");

const isTyping = (element) => element.matches("input, select, textarea, [contenteditable]");

function move(by) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.getClientRects().length);
  if (!rows.length) return;
  const targets = rows.map((row) => (row.matches("a, summary") ? row : row.querySelector("a, summary"))).filter(Boolean);
  const at = targets.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : targets.length - 1) : Math.min(targets.length - 1, Math.max(0, at + by));
  targets[next].focus();
  targets[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const field = document.querySelector("#q, [data-search]");
  if (event.key === "/") {
    if (field) {
      field.focus();
      field.select();
    } else location.assign("/ui");
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "?") document.getElementById("keys")?.showModal();
  else return;
  event.preventDefault();
});

document.addEventListener("click", async (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const copier = event.target.closest("[data-copies]");
  if (copier) {
    await navigator.clipboard.writeText(document.getElementById(copier.dataset.copies).textContent);
    copier.textContent = "Copied";
  }
});

document.querySelector("select#ns")?.addEventListener("change", (event) => event.target.form.submit());
for (const radio of document.querySelectorAll(".switch input")) {
  radio.addEventListener("change", () => document.getElementById("q").value && radio.form.requestSubmit());
}

// Toggle does not bubble, so it is listened to on its way down.
document.addEventListener(
  "toggle",
  async (event) => {
    const step = event.target;
    if (!step.open || !step.dataset.below) return;
    const place = step.querySelector(".below");
    const address = step.dataset.below;
    delete step.dataset.below;
    place.setAttribute("aria-busy", "true");
    const reply = await fetch(address, { headers: { "X-Part": "1" } }).catch(() => null);
    place.removeAttribute("aria-busy");
    if (!reply?.ok || reply.redirected) {
      step.dataset.below = address;
      return;
    }
    place.innerHTML = await reply.text();
  },
  true,
);

for (const form of document.querySelectorAll("[data-sends]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("[data-sending]");
    button.disabled = true;
    button.textContent = button.dataset.sending;
  });
}

const job = document.querySelector("[data-job]");
if (job) {
  const tick = async () => {
    const reply = await fetch(job.dataset.job, { headers: { "X-Part": "1" } }).catch(() => null);
    if (reply?.ok && !reply.redirected) job.innerHTML = await reply.text();
    if (!job.querySelector("[data-ended]")) setTimeout(tick, 500);
    else document.querySelector("form.cancel")?.remove();
  };
  setTimeout(tick, 300);
}
