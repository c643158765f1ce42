import type { CheckedFiles, CheckedPage } from "./checked-files.ts";

/** Meters by title, or all of them where none is named, so many at once: a fleet is never in memory. */
export async function* filePages(
  files: Pick<CheckedFiles, "nextPage">,
  titles: readonly string[],
  size: number,
): AsyncGenerator<CheckedPage> {
  const isNamed = titles.length > 0;
  let after: string | undefined;
  for (let from = 0; !isNamed || from < titles.length; from += size) {
    const page = await files.nextPage(titles.slice(from, from + size), after, size);
    yield page;
    if (isNamed) continue;
    if (page.last === undefined) return;
    after = page.last;
  }
}
