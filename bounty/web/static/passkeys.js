// Passkeys. What the browser and the server say to each other is translated by Flask-Security's webauthn.js.

// A page of the log-in or of registering: ask for the passkey at once, and send what it answers.
for (const form of document.querySelectorAll("form[data-passkey]")) {
  const ask = form.dataset.passkey === "register" ? handleRegister : handleSignin;
  ask(form.dataset.options).then(({ credential }) => {
    if (credential) {
      form.elements.credential.value = credential;
      form.requestSubmit();
    } else {
      form.querySelector("[data-passkey-failed]").hidden = false;
    }
  });
}

// A form that asks for a fresh code or passkey: the passkey's answer goes into a field of the form.
for (const button of document.querySelectorAll("button[data-passkey-confirm]")) {
  const part = button.closest("[data-passkey-part]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    part.querySelector("[data-passkey-failed]").hidden = true;
    const token = new URLSearchParams({ csrf_token: button.form.elements.csrf_token.value });
    const options = await fetch(button.dataset.passkeyConfirm, { method: "POST", body: token });
    const { credential } = options.ok ? await handleSignin(await options.text()) : {};
    part.querySelector("input[name=passkey]").value = credential ?? "";
    part.querySelector("[data-passkey-done]").hidden = !credential;
    part.querySelector("[data-passkey-failed]").hidden = Boolean(credential);
    button.hidden = Boolean(credential);
  });
}
