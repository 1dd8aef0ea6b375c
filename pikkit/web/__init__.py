"""The HTTP side: gateway, routes, OpenAPI document and the pages."""
