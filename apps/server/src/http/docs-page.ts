/** As much of an OpenAPI 3.1 document as the page shows. */
export interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly operationId: string;
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Content };
  readonly responses?: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
  readonly description?: string;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Listed extends Operation {
  readonly method: string;
  readonly path: string;
}

/** Fields deeper than this are not spelled out: the JSON document has them. */
const DEPTH = 4;

/** What the API answers with in place of what was asked for, by code. */
type Problems = Readonly<Record<string, { readonly status: number; readonly title: string }>>;

/**
 * The description of an API as one page of HTML: no script, no style of its own, every text escaped. Each problem has an
 * anchor of its own, `problem-CODE`: the `type` of an answer leads there.
 */
export function docsPage(api: OpenApi, problems: Problems): string {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]): Listed => ({ ...operation, method: method.toUpperCase(), path }),
    ),
  );
  const tags = [...new Set(operations.map((operation) => operation.tags?.[0] ?? "other"))];
  const ofTag = (tag: string): Listed[] => operations.filter((operation) => (operation.tags?.[0] ?? "other") === tag);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(api.info.title)} API</title>
<link rel="stylesheet" href="/api/docs/style.css">
</head>
<body>
<header>
<h1>${text(api.info.title)} API <small>${text(api.info.version)}</small></h1>
<p>${withCode(api.info.description ?? "")}</p>
<p>The same for programs: <a href="/api/openapi.json">OpenAPI 3.1</a>. A program sends a token that
<code>npx meterkeep token create NAME --scope read</code> prints: <code>curl -H "Authorization: Bearer $TOKEN" …</code></p>
</header>
<nav aria-label="Operations">${tags.map((tag) => `<section><h2>${text(tag)}</h2><ul>${ofTag(tag).map(link).join("")}</ul></section>`).join("")}</nav>
<main>${tags.map((tag) => `<h2>${text(tag)}</h2>${ofTag(tag).map(article).join("\n")}`).join("\n")}
<h2>problems</h2>
<table><thead><tr><th scope="col">code</th><th scope="col">status</th><th scope="col">what</th></tr></thead><tbody>${Object.entries(problems).map(problem).join("")}</tbody></table></main>
</body>
</html>
`;
}

function problem([code, { status, title }]: readonly [string, Problems[string]]): string {
  return `<tr id="problem-${text(code)}"><th scope="row"><code>${text(code)}</code></th><td>${status}</td><td>${text(title)}</td></tr>`;
}

function link({ operationId, method, path }: Listed): string {
  return `<li><a href="#${text(operationId)}"><b>${text(method)}</b> ${text(path)}</a></li>`;
}

function article(operation: Listed): string {
  const { operationId, method, path, summary, parameters = [] } = operation;
  const rows = parameters.map(
    ({ name, in: where, required, schema, description }) =>
      `<tr><th scope="row">${text(name)}</th><td>${text(where)}${required === true ? "" : ", optional"}</td><td>${typeOf(schema)}</td><td>${text(description ?? schema?.description ?? "")}</td></tr>`,
  );
  return `<article id="${text(operationId)}">
<h3><b>${text(method)}</b> <code>${text(path)}</code></h3>
<p>${text(summary ?? "")}. <span class="scope">${text(access(operation))}</span></p>
${rows.length === 0 ? "" : `<table><thead><tr><th scope="col">parameter</th><th scope="col">where</th><th scope="col">type</th><th scope="col">what</th></tr></thead><tbody>${rows.join("")}</tbody></table>`}
${body("Body", operation.requestBody?.content)}
${Object.entries(operation.responses ?? {})
  .filter(([status]) => status !== "default")
  .map(([status, response]) => body(`Answers ${status}`, response.content))
  .join("\n")}
</article>`;
}

function access({ security = [] }: Operation): string {
  if (security.length === 0) return "Needs no login.";
  const scope = security.flatMap((one) => one["token"] ?? [])[0];
  return scope === undefined ? "Not for tokens." : `Takes the scope ${scope}.`;
}

function body(title: string, content: Content | undefined): string {
  const schema = Object.values(content ?? {})[0]?.schema;
  if (schema === undefined) return `<p>${text(title)}.</p>`;
  return `<details><summary>${text(title)}: ${typeOf(schema)}</summary>${fields(schema, 0)}</details>`;
}

function fields(schema: Schema, depth: number): string {
  const inner = schema.items ?? schema;
  if (inner.properties === undefined || depth >= DEPTH) return "";
  const required = new Set(inner.required);
  const items = Object.entries(inner.properties).map(
    ([name, field]) =>
      `<li><code>${text(name)}</code>${required.has(name) ? "" : " <i>optional</i>"} ${typeOf(field)}${field.description === undefined ? "" : `: ${text(field.description)}`}${fields(field, depth + 1)}</li>`,
  );
  return `<ul>${items.join("")}</ul>`;
}

function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return "";
  if (schema.enum !== undefined) return schema.enum.map((value) => `<code>${text(String(value))}</code>`).join(" | ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  const limits = [schema.minimum, schema.maximum].some((limit) => limit !== undefined)
    ? ` ${schema.minimum ?? "…"} to ${schema.maximum ?? "…"}`
    : "";
  return text(`${schema.format ?? schema.type ?? "any"}${limits}`);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function text(raw: string): string {
  return raw.replace(/[&<>"']/g, (letter) => ENTITIES[letter] as string);
}

/** As `text`, what stands between backticks as code. */
function withCode(raw: string): string {
  return text(raw).replace(/`([^`]+)`/g, "<code>$1</code>");
}
