// Adapters: bundled ones, the user's own before them, and the check against adapters/schema.json.
const BUNDLED = ["sample-rows", "sample-props", "sample-late"];

const load = async (name) => (await fetch(chrome.runtime.getURL(`adapters/${name}.json`))).json();

export async function bundled() {
  return Promise.all(BUNDLED.map(load));
}

function hostMatches(pattern, host) {
  return pattern === host || (pattern.startsWith("*.") && (host.endsWith(pattern.slice(1)) || host === pattern.slice(2)));
}

/** The adapter for a page: the user's own first. */
export async function adapterFor(url, own) {
  const { hostname, pathname } = new URL(url);
  const fits = ({ hosts, path }) => hosts.some((pattern) => hostMatches(pattern, hostname)) && (!path || new RegExp(path).test(pathname));
  return [...own, ...(await bundled())].find(fits) ?? null;
}

/** What breaks the rules of a JSON schema: the words that adapters/schema.json uses, no more. */
export function problems(value, schema, root = schema, at = "adapter") {
  if (schema.$ref) return problems(value, root.$defs[schema.$ref.split("/").pop()], root, at);
  if (schema.anyOf) {
    const all = schema.anyOf.map((each) => problems(value, each, root, at));
    return all.some((found) => !found.length) ? [] : all[all.length - 1];
  }
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : Number.isInteger(value) && schema.type === "integer" ? "integer" : typeof value;
  if (schema.type && kind !== schema.type) return [`${at} is ${kind === "undefined" ? "missing" : `of type ${kind}`}: ${schema.type} is needed`];
  if (schema.enum && !schema.enum.includes(value)) return [`${at} is ${JSON.stringify(value)}: one of ${schema.enum.join(", ")} is needed`];
  if (kind === "string") {
    if ((schema.minLength ?? 0) > value.length) return [`${at} is empty`];
    if (schema.maxLength < value.length) return [`${at} is longer than ${schema.maxLength} characters`];
    if (schema.pattern && !new RegExp(schema.pattern, "u").test(value)) return [`${at} ${JSON.stringify(value)} does not fit ${schema.pattern}`];
  }
  if (kind === "integer" && (value < schema.minimum || value > schema.maximum)) return [`${at} is ${value}: ${schema.minimum} to ${schema.maximum} is needed`];
  if (kind === "array") {
    if ((schema.minItems ?? 0) > value.length) return [`${at} is empty`];
    return value.flatMap((item, index) => problems(item, schema.items, root, `${at}[${index}]`));
  }
  if (kind !== "object") return [];
  const missing = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}.${name} is missing`);
  return [...missing, ...Object.entries(value).flatMap(([name, item]) => {
    const rule = schema.properties?.[name] ?? schema.additionalProperties;
    if (rule === false) return [`${at}.${name} is not known`];
    return rule ? problems(item, rule, root, `${at}.${name}`) : [];
  })];
}

/** The adapter of a text, checked; throws an Error that names what is wrong. */
export async function readAdapter(text) {
  let adapter;
  try {
    adapter = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${error.message}`, { cause: error });
  }
  const found = problems(adapter, await load("schema"));
  if (found.length) throw new Error(`This adapter can't be used: ${found.slice(0, 3).join("; ")}.`);
  return adapter;
}

/** Whether the selectors and patterns of an adapter can be used; needs a page. */
export function checkSelectors(adapter) {
  const rules = [...Object.values(adapter.fields), adapter.book].flat().filter((rule) => typeof rule === "object");
  for (const selector of [adapter.side, adapter.market_key.closest, ...rules.flatMap((rule) => [rule.closest, rule.find, rule.when])].filter(Boolean)) {
    try {
      document.createDocumentFragment().querySelector(selector);
    } catch (error) {
      throw new Error(`This adapter can't be used: ${JSON.stringify(selector)} is no CSS selector.`, { cause: error });
    }
  }
  for (const pattern of [adapter.path, ...rules.map(({ match }) => match)].filter(Boolean)) new RegExp(pattern, "u");
}
