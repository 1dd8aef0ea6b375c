const byId = (id) => document.getElementById(id);

async function save(event) {
  event.preventDefault();
  const message = byId("message");
  const url = byId("url").value.trim().replace(/\/+$/, "");
  const origins = [`${new URL(url).protocol}//${new URL(url).hostname}/*`];
  if (!(await chrome.permissions.contains({ origins })) && !(await chrome.permissions.request({ origins }))) {
    message.textContent = "Without the permission for this address nothing can be asked there.";
    return;
  }
  await chrome.storage.local.set({ url, key: byId("key").value });
  try {
    const answer = await fetch(`${url}/api/v1/model-info`, {
      headers: byId("key").value ? { "X-API-Key": byId("key").value } : {}, credentials: "omit",
    });
    const body = await answer.json();
    message.textContent = answer.ok ? `Saved. Model set ${body.metadata.timestamp} answers.` : `Saved, but: ${body.error.message}`;
  } catch {
    message.textContent = "Saved, but nothing answers there.";
  }
}

const stored = await chrome.storage.local.get({ url: "http://127.0.0.1:8000", key: "" });
byId("url").value = stored.url;
byId("key").value = stored.key;
byId("form").addEventListener("submit", save);
