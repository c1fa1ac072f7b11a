// Shows a password while its owner types it. Without this script, the page works and has no such choice.
"use strict";
const box = document.getElementById("show");
const field = document.getElementById("password");
box.parentElement.hidden = false;
box.addEventListener("change", () => {
  field.type = box.checked ? "text" : "password";
});
// The password is sent as a password, so that no browser keeps it among the texts of forms.
field.form.addEventListener("submit", () => {
  field.type = "password";
});
