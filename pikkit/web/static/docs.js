"use strict";
// Swagger UI, as BentoML carries it: nothing is fetched from elsewhere.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  tryItOutEnabled: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
});

// What Swagger UI leaves without a name or out of the keyboard's reach.
const nameless = (place, name) => place.querySelectorAll("select:not([aria-label]), textarea:not([aria-label]), input:not([aria-label])")
  .forEach((field) => field.setAttribute("aria-label", field.closest("[data-param-name]")?.dataset.paramName ?? name(field)));
const nameOf = (field) => field.id === "servers" ? "Server"
  : field.classList.contains("examples-select-element") ? "Example"
  : field.tagName === "TEXTAREA" ? "Request body" : field.placeholder || "Media type";
const root = document.getElementById("swagger-ui");
new MutationObserver(() => {
  nameless(root, nameOf);
  root.querySelectorAll("pre:not([tabindex])").forEach((text) => text.setAttribute("tabindex", "0"));
}).observe(root, { childList: true, subtree: true });
