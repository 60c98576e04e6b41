// validatorUrl is null because Swagger UI would otherwise ask an outside server; the token that somebody types
// stays in the page and is gone with it.
SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
  requestSnippetsEnabled: true
});
