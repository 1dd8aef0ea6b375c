// What stands beside each badge, looked at `count` times and until `least` badges were seen: between any two tasks of
// the page, or (`at`) once a "frame", or right after each "render" of the page. In the page's own world: it knows nothing
// of the extension but its overlay. A badge is right when its grade follows from the price, selection and line under it.
async ([count, at, least]) => {
  const LETTERS = "ABCDF";
  const text = (element, selector) => element?.querySelector(selector)?.textContent.trim() ?? "";
  function expected(price) {
    const line = text(price, ".line"), number = line.match(/\d+(?:\.\d+)?/)?.[0] ?? "";
    const selection = line.startsWith("O ") ? "Over" : line.startsWith("U ") ? "Under" : text(price.closest(".side"), ".name");
    const all = `${selection}|${number}|${text(price, ".odds").replace("\u2212", "-")}`;
    return [LETTERS[[...all].reduce((sum, char) => sum + char.codePointAt(0), 0) % 5], all];
  }
  function under(x, y) {
    let root = document, hit = null;
    while (root) {
      const next = root.elementsFromPoint(x, y).find((element) => element.localName !== "pikkit-overlay");
      if (!next || next === hit) break;
      hit = next;
      root = hit.shadowRoot;
    }
    return hit?.closest(".price") ?? null;
  }
  const prices = () => [document, ...[...document.querySelectorAll("odds-board")].map((host) => host.shadowRoot).filter(Boolean)]
    .flatMap((root) => [...root.querySelectorAll(".price")]);
  const result = { samples: 0, shown: 0, stale: 0, visible: 0, wrong: [] };
  let took = 20;
  const rest = (ms) => new Promise((done) => setTimeout(done, ms));
  while (result.samples < count || result.shown < least) {
    if (at === "frame") await new Promise(requestAnimationFrame);
    else if (at === "render") {
      await rest(4 * took); // the extension spends less than half of its time on reading, however slow the machine
      const begin = performance.now();
      render();
      await rest();
      took = performance.now() - begin;
    } else await rest();
    result.samples += 1;
    const overlay = document.querySelector("pikkit-overlay")?.shadowRoot;
    for (const badge of overlay?.querySelectorAll(".badge:not([hidden])") ?? []) {
      const box = badge.getBoundingClientRect(), price = under(box.left + box.width / 2, box.top + box.height / 2);
      result.shown += 1;
      if (badge.classList.contains("stale")) result.stale += 1;
      const [grade, all] = price ? expected(price) : ["nothing", "no price"];
      if (grade !== badge.textContent) result.wrong.push(`${badge.textContent} beside ${all} (${grade})`);
    }
    for (const price of prices()) {
      const box = price.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
      if (x >= 0 && y >= 0 && x < innerWidth && y < innerHeight && under(x, y) === price) result.visible += 1;
    }
  }
  result.wrong = [result.wrong.length, ...result.wrong.slice(0, 5)];
  return result;
}
