import type pg from "pg";

/** Plans cost the server some 50 kB each and connection; a program asks well under this many different things. */
const MAX_STATEMENTS = 200;

/**
 * Lets a connection parse and plan each statement once instead of each time it is asked: whatever comes as text with values
 * goes by a name from its second time on. Texts beyond {@link MAX_STATEMENTS}, texts without values and statements that bring
 * a name of their own pass as they are.
 */
export function prepareStatements(client: Pick<pg.ClientBase, "query">): void {
  const names = new Map<string, string>();
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const named = (text: string): string | undefined => {
    const known = names.get(text);
    if (known !== undefined) return known;
    if (names.size < MAX_STATEMENTS) names.set(text, `s${names.size + 1}`);
    return undefined;
  };
  client.query = ((...args: unknown[]) => {
    const [text, values, ...rest] = args;
    if (typeof text !== "string" || !Array.isArray(values) || values.length === 0) return query(...args);
    const name = named(text);
    return name === undefined ? query(...args) : query({ name, text, values }, ...rest);
  }) as typeof client.query;
}
