/** `node tools/reference.ts` writes docs/reference anew from the declarations of packages/dlms. */
import { mkdirSync, writeFileSync } from "node:fs";
import { apdusDocument } from "./reference/apdu-pages.ts";
import { classesDocument } from "./reference/class-pages.ts";
import { ROOT } from "./run.ts";

/** The generated pages, by path in the repository. */
export const REFERENCE_PAGES: Readonly<Record<string, () => string>> = {
  "docs/reference/classes.md": classesDocument,
  "docs/reference/apdus.md": apdusDocument,
};

if (import.meta.main) {
  mkdirSync(`${ROOT}/docs/reference`, { recursive: true });
  for (const [path, page] of Object.entries(REFERENCE_PAGES)) writeFileSync(`${ROOT}/${path}`, page());
}
