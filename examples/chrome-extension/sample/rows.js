"use strict";

const board = document.getElementById("board");
const games = GAMES.slice(0, Number(query.get("games") ?? 4));
const render = () => board.replaceChildren(...games.map(game));
render();
every("render", render);
every("prices", () => move(board));
