// Addresses are relative to the page's own, so that it works behind any path; and nothing is asked of any other host.
SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#ui",
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    validatorUrl: null,
});
