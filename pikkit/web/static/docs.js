import { call, make } from "./common.js";

const pretty = (value) => JSON.stringify(value, null, 2);

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items || {})}`;
  return schema.type || "anything";
}

function table(head, rows) {
  return make("div", { class: "scroll", tabindex: "0" }, make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))))));
}

/** The operation as a curl line with its first example. */
function curl(path, method, operation, example) {
  const query = (operation.parameters || []).filter((one) => one.in === "query" && one.example !== undefined)
    .map((one) => `${one.name}=${encodeURIComponent(one.example)}`).join("&");
  const url = `'${location.origin}${path}${query ? "?" + query : ""}'`;
  if (method === "get") return `curl ${url}`;
  const body = example === undefined ? "" : ` -H 'Content-Type: application/json' -d '${JSON.stringify(example)}'`;
  return `curl -X ${method.toUpperCase()} ${url}${body}`;
}

function operationCard(path, method, operation) {
  const id = operation.operationId;
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  const examples = content && content.examples ? Object.values(content.examples).map((one) => one.value) : [];
  const card = make("article", { "aria-labelledby": id },
    make("h2", { id }, make("span", { class: "method" }, method.toUpperCase()), make("span", { class: "path" }, path)),
    make("p", {}, operation.summary));
  if (operation.parameters) {
    card.append(table(["Parameter", "Where", "Type", ""], operation.parameters.map((one) => [
      one.name + (one.required ? " (required)" : ""), one.in, typeOf(one.schema), one.description || ""])));
  }
  if (content) card.append(make("p", {}, `Body: ${typeOf(content.schema)}`));
  card.append(make("pre", { tabindex: "0" }, curl(path, method, operation, examples[0])));
  card.append(table(["Status", "Answer", ""], Object.entries(operation.responses).map(([status, answer]) => {
    const [media] = Object.entries(answer.content || {});
    return [status, answer.description, media ? `${media[0]}: ${typeOf(media[1].schema)}` : ""];
  })));
  return card;
}

function schemaCard(name, schema) {
  const required = schema.required || [];
  const rows = Object.entries(schema.properties || {}).map(([field, one]) => [
    field + (required.includes(field) ? " (required)" : ""), typeOf(one), one.description || ""]);
  return make("details", {}, make("summary", {}, name), make("p", {}, schema.description || ""),
    rows.length ? table(["Field", "Type", ""], rows) : make("pre", {}, pretty(schema)));
}

async function show() {
  const about = document.getElementById("about");
  try {
    const description = await call("/openapi.json");
    about.textContent = `${description.info.description} Version ${description.info.version}.`;
    const cards = [];
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(methods)) cards.push(operationCard(path, method, operation));
    }
    document.getElementById("operations").replaceChildren(...cards);
    document.getElementById("schemas").replaceChildren(
      ...Object.entries(description.components.schemas).map(([name, schema]) => schemaCard(name, schema)));
  } catch (error) {
    about.textContent = error.message;
  }
}

show();
