// A button that copies a field's text and says so. Without this script it is not shown, and the text can be selected.
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).value.trim());
    button.textContent = button.dataset.copied;
  });
}
