"use strict";

/** An element with attributes and children; text is never read as HTML. */
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "text", "title"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** JSON of one of the service's routes; what it answers instead is thrown as an Error with its message. */
async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The service can't be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (body && body.error) throw new Error(body.error.message);
  if (!answer.ok && !body) throw new Error(`The service answered with ${answer.status}.`);
  return body;
}

const percent = (fraction, digits = 1) => `${(100 * fraction).toFixed(digits)} %`;
const signed = (number, digits = 1) => (number > 0 ? "+" : "") + number.toFixed(digits);
