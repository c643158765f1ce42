import { readFile } from "node:fs/promises";
import fastifySwagger from "@fastify/swagger";
import { HTTP_PROBLEMS } from "@meterkeep/api";
import type { FastifyInstance } from "fastify";
import { docsPage, type OpenApi } from "./docs-page.ts";
import { SESSION_COOKIE } from "./login.ts";

const STYLE = new URL("./docs.css", import.meta.url);
const READ = { config: { access: "anyone", scope: "read" }, schema: { hide: true } } as const;

/**
 * Describes the API from its routes: OpenAPI 3.1 at `/api/openapi.json`, to be read at `/api/docs`. The page is plain text with
 * a style sheet and no script, so that it stands under the same strict policy as everything else.
 */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Meterkeep",
        version,
        description:
          "Readings with the trust that their source had and has, the meters behind them, and who did what. Errors are RFC 9457 problems with a stable `code`.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      components: {
        securitySchemes: {
          session: { type: "apiKey", in: "cookie", name: SESSION_COOKIE },
          token: { type: "http", scheme: "bearer" },
        },
      },
      security: [{ session: [] }, { token: ["read"] }],
    },
  });
  const style = await readFile(STYLE, "utf8");
  app.get("/api/openapi.json", READ, async () => app.swagger());
  app.get("/api/docs", READ, async (_request, reply) =>
    reply.type("text/html; charset=utf-8").send(docsPage(app.swagger() as unknown as OpenApi, HTTP_PROBLEMS)),
  );
  app.get("/api/docs/style.css", READ, async (_request, reply) => reply.type("text/css; charset=utf-8").send(style));
}
