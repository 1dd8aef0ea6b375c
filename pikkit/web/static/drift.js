import { call, make, percent } from "./common.js";

const WORDS = {
  stable: "stable", noticeable: "noticeable", drifted: "drifted", too_few_bets: "too few bets yet",
};

function verdict(status) {
  return make("td", { class: `verdict-${status}` }, WORDS[status] || status);
}

function shareRow(name, share) {
  return make("tr", {}, make("td", {}, name),
    make("td", { class: "number" }, percent(share.trained)), make("td", { class: "number" }, percent(share.live)));
}

async function show() {
  const status = document.getElementById("status");
  try {
    const report = await call("/api/v1/drift-report");
    if (report.status === "no_baseline") {
      status.textContent = report.message;
      return;
    }
    const rest = report.status === "too_few_bets" ? `; figures need ${report.bets_needed}` : "";
    status.textContent = `${WORDS[report.status]}: ${report.bets} bets of the past ${report.window_hours} hours${rest}.`;
    document.getElementById("features").replaceChildren(...Object.entries(report.columns)
      .sort(([one], [other]) => (report.psi[other] || 0) - (report.psi[one] || 0))
      .map(([name, column]) => make("tr", {}, make("td", {}, name),
        make("td", { class: "number" }, name in report.psi ? report.psi[name].toFixed(3) : "–"), verdict(column.status))));
    document.getElementById("shares").replaceChildren(
      ...Object.entries(report.grades).map(([grade, share]) => shareRow(`Grade ${grade}`, share)),
      ...Object.entries(report.unknown).map(([column, share]) => shareRow(`Unknown ${column}`, share)));
  } catch (error) {
    status.textContent = error.message;
  }
}

show();
setInterval(show, 15000);
