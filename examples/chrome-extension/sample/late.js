"use strict";

// Cards that come late, in a shadow root that is attached late, as web components do.
customElements.define("odds-board", class extends HTMLElement {
  connectedCallback() {
    setTimeout(() => {
      const shadow = this.attachShadow({ mode: query.has("closed") ? "closed" : "open" });
      const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "sample.css" });
      const board = make("div", "");
      shadow.append(style, board);
      const render = () => board.replaceChildren(...GAMES.slice(4, 6).map(game));
      setTimeout(() => {
        render();
        every("render", render);
        every("prices", () => move(board));
      }, 300);
    }, 300);
  }
});
if (query.toString()) document.querySelector("iframe").src = `rows.html?${query}`;
