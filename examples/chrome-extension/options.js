import { checkSelectors, readAdapter } from "./adapters.js";
import { isOpenHttp, originOf, stored } from "./settings.js";

const byId = (id) => document.getElementById(id);
const address = () => byId("url").value.trim().replace(/\/+$/, "");

function warn() {
  byId("warning").textContent = isOpenHttp(address()) ? "Plain http: others on the way can read what is sent, the key too. Use https." : "";
}

async function save(event) {
  event.preventDefault();
  const message = byId("message"), origins = [originOf(address())];
  // Asked for at once: the browser shows its question only in answer to a click.
  const permitted = await chrome.permissions.request({ origins });
  await chrome.storage.local.set({ url: address(), key: byId("key").value });
  const { trouble, model } = await chrome.runtime.sendMessage({ type: "status" });
  const without = permitted ? "" : " Without the permission the service must name this extension in CORS_ORIGINS.";
  message.textContent = (trouble ? `Saved, but: ${trouble}` : `Saved. Model set ${model} answers.`) + without;
}

async function showAdapters() {
  const { adapters } = await stored();
  byId("adapters").replaceChildren(...adapters.map((adapter) => {
    const item = document.createElement("li"), button = Object.assign(document.createElement("button"), { type: "button", textContent: "Remove" });
    button.setAttribute("aria-label", `Remove ${adapter.name}`);
    button.addEventListener("click", async () => {
      await chrome.storage.local.set({ adapters: adapters.filter((each) => each !== adapter) });
      await showAdapters();
    });
    item.append(`${adapter.name} (${adapter.hosts.join(", ")}) `, button);
    return item;
  }));
}

byId("file").addEventListener("change", async ({ target }) => {
  try {
    const text = await target.files[0].text();
    checkSelectors(await readAdapter(text));
    const { trouble, saved } = await chrome.runtime.sendMessage({ type: "adapter", text });
    byId("adapter-message").textContent = trouble ?? `“${saved}” is in use.`;
  } catch (error) {
    byId("adapter-message").textContent = error.message;
  }
  target.value = "";
  await showAdapters();
});
byId("url").addEventListener("input", warn);
byId("form").addEventListener("submit", save);
const settings = await stored();
byId("url").value = settings.url;
byId("key").value = settings.key;
warn();
await showAdapters();
