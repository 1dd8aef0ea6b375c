// What the pages share.

/** An element with attributes and children; text is never read as HTML. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** JSON of one of the service's routes; what it answers instead is thrown as an Error with its message. */
export async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The service can't be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (body && body.error) throw new Error(body.error.message);
  if (!answer.ok || !body) throw new Error(`The service answered with ${answer.status}.`);
  return body;
}

export const percent = (fraction, digits = 1) => `${(100 * fraction).toFixed(digits)} %`;
export const signed = (number, digits = 1) => (number > 0 ? "+" : "") + number.toFixed(digits);
export const byId = (id) => document.getElementById(id);
