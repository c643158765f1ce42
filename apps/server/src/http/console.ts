import { access } from "node:fs/promises";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ProblemError } from "./problem-error.ts";

const ABSENT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Meterkeep</title>
<h1>Meterkeep is running</h1>
<p>The console has not been built yet. <code>npx meterkeep start</code> builds it when it starts; by hand it is
<code>npm run build -w apps/console</code>. Then reload this page.</p>
<p>The HTTP API works meanwhile: <a href="/api/docs">/api/docs</a>, with a login.</p></html>`;

/**
 * Serves the built console. Its files hold nothing of the installation, so they need no login; every other path of the
 * page is the console's own routing and gets its one document.
 */
export async function serveConsole(app: FastifyInstance, directory: string): Promise<void> {
  // What lies compressed beside a file goes out to whoever takes it; each form has an ETag of its own.
  await app.register(fastifyStatic, { root: directory, serve: false, wildcard: false, preCompressed: true });
  app.get("/*", { config: { access: "asset" }, schema: { hide: true } }, async (request, reply) => {
    const path = pathOf(request);
    if (path.startsWith("/api/")) throw new ProblemError("not-found", `there is no ${path}`);
    if (!(await exists(join(directory, "index.html")))) return reply.type("text/html").send(ABSENT);
    // What browsers ask for by themselves, whatever the page names.
    if (path === "/favicon.ico") return sendAsset(reply, directory, "/mark.svg", "no-cache");
    if (path.startsWith("/assets/")) return sendAsset(reply, directory, path, "public, max-age=31536000, immutable");
    if (/\.[a-z0-9]+$/i.test(path)) return sendAsset(reply, directory, path, "no-cache");
    return sendAsset(reply, directory, "/index.html", "no-cache");
  });
}

async function sendAsset(reply: FastifyReply, directory: string, path: string, caching: string): Promise<FastifyReply> {
  const file = path.slice(1);
  if (!(await exists(join(directory, file)))) throw new ProblemError("not-found", `the console has no ${path}`);
  return reply.header("cache-control", caching).sendFile(file, directory, { cacheControl: false });
}

/** The path without query, with `..` resolved away. */
function pathOf(request: FastifyRequest): string {
  return new URL(request.url, "http://localhost").pathname;
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
