// What the pages gain from a script. Without it, all of them work.
"use strict";
// Shows a password while its owner types it. It is sent as a password, so that no browser keeps it among the texts of forms.
for (const field of document.querySelectorAll('input[type="password"]')) {
  const box = document.createElement("input");
  box.type = "checkbox";
  const label = document.createElement("label");
  label.className = "show tick";
  label.append(box, document.body.dataset.show);
  field.after(label);
  box.addEventListener("change", () => { field.type = box.checked ? "text" : "password"; });
  field.form.addEventListener("submit", () => { field.type = "password"; });
}

// Ticks the rules for a password as one types. The server alone judges: a rule that is not known here is not ticked.
const rules = document.getElementById("rules");
const chosen = document.querySelector('input[autocomplete="new-password"]');
if (rules && chosen) {
  const keeps = {
    "password-too-short": (text, figure) => [...text].length >= Number(figure),
    "password-upper-case": (text) => /\p{Lu}/u.test(text),
    "password-lower-case": (text) => /\p{Ll}/u.test(text),
    "password-digit": (text) => /\p{Nd}/u.test(text),
    "password-special": (text) => /[!@#$%^&*()_+=\-[\]}{<>?]/.test(text),
  };
  const look = () => {
    for (const rule of rules.children) {
      const keep = keeps[rule.dataset.rule];
      rule.classList.toggle("kept", chosen.value !== "" && keep !== undefined && keep(chosen.value, rule.dataset.figure));
    }
  };
  chosen.addEventListener("input", look);
  look();
}

// A form that was sent is not sent again by a second press.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 5000);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// The receipt as it will be printed, while it is written.
const receipt = document.querySelector("form[data-preview]");
const shown = document.querySelector("img[data-shown]");
if (receipt && shown) {
  let waiting;
  const draw = async () => {
    const answer = await fetch(receipt.dataset.preview, { method: "POST", body: new FormData(receipt) });
    if (!answer.ok || !answer.headers.get("content-type").startsWith("image/svg+xml")) { return; }
    const text = await answer.text();
    shown.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  };
  receipt.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 300);
  });
}

// Finds as one types: the results of the same page, without leaving it.
const search = document.querySelector("form[data-search]");
if (search) {
  const results = document.getElementById("results");
  let waiting;
  let number = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      number += 1;
      const mine = number;
      const query = new URLSearchParams(new FormData(search));
      const answer = await fetch(`${search.getAttribute("action")}?${query}`);
      if (!answer.ok || mine !== number) { return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      results.replaceChildren(...page.getElementById("results").childNodes);
    }, 200);
  });
}

// Shows how far something is that the server does, until it is done.
const followed = document.getElementById("followed");
if (followed) {
  const look = async () => {
    if (!followed.hasAttribute("data-follow")) { return; }
    const answer = await fetch(location.pathname, { headers: { "X-Part": "yes" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("followed");
      if (!fresh) { return; }
      followed.replaceChildren(...fresh.childNodes);
      followed.toggleAttribute("data-follow", fresh.hasAttribute("data-follow"));
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 1000);
}

// Where one is in a list of pages that is wider than the screen.
for (const here of document.querySelectorAll('nav [aria-current="page"]')) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}
