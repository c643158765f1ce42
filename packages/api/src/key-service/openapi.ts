import { KeyServiceProblem } from "./problem.ts";
import { KEY_SERVICE_PAGES, KEY_SERVICE_ROUTES } from "./routes.ts";

/** The description of the key service, OpenAPI 3.1, made from its routes. */
export function keyServiceOpenApi(version: string): object {
  const problem = { $ref: "#/components/responses/Problem" };
  const json = (schema: unknown) => ({ "application/json": { schema } });
  const paths: Record<string, object> = {};
  for (const [name, { path, summary, body, response }] of Object.entries(KEY_SERVICE_ROUTES))
    paths[path] = {
      post: {
        operationId: name,
        summary,
        requestBody: { required: true, content: json(body) },
        responses: {
          200: { description: "A result for each item, in their order", content: json(response) },
          default: problem,
        },
      },
    };
  for (const [name, { path, summary, response }] of Object.entries(KEY_SERVICE_PAGES))
    paths[path] = {
      get: {
        operationId: name,
        summary,
        responses: { 200: { description: summary, content: json(response ?? { type: "object" }) }, default: problem },
      },
    };
  return {
    openapi: "3.1.0",
    info: {
      title: "Meterkeep key service",
      version,
      description:
        "Crypto sessions with meters for head-ends of any vendor: whole APDUs in and out, never a key. Who is asking follows from the client certificate.",
    },
    security: [{ mutualTLS: [] }],
    paths,
    components: {
      securitySchemes: {
        mutualTLS: { type: "mutualTLS", description: "TLS 1.3 with a certificate that the operator has enrolled" },
      },
      responses: {
        Problem: {
          description: "The request as a whole was refused",
          content: { "application/problem+json": { schema: KeyServiceProblem } },
        },
      },
    },
  };
}
