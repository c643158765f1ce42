import { readFileSync } from "node:fs";
import { BUILT_IN_LAYOUTS, type Layout, parseLayoutFile } from "@meterkeep/dlms";
import { CliError } from "../error.ts";

/** The layouts to choose from, and the one that was asked for. */
export interface LayoutChoice {
  readonly layouts: readonly Layout[];
  readonly layout?: Layout;
}

/**
 * Reads `--layout`: the id of a built-in layout is used whatever the telegram looks like; a file adds its layouts to the
 * built-in ones, and before them.
 *
 * @throws CliError `option-invalid` or `layout-file-invalid`.
 */
export function chooseLayout(option: string | undefined): LayoutChoice {
  if (option === undefined) return { layouts: BUILT_IN_LAYOUTS };
  const layout = BUILT_IN_LAYOUTS.find(({ id }) => id === option);
  if (layout !== undefined) return { layouts: BUILT_IN_LAYOUTS, layout };
  if (!/[./\\]/.test(option))
    throw new CliError("option-invalid", `there is no layout ${option}: --list-layouts shows all, a path names a file`);
  try {
    const { layouts } = parseLayoutFile(JSON.parse(readFileSync(option, "utf8")));
    return { layouts: [...layouts, ...BUILT_IN_LAYOUTS] };
  } catch (cause) {
    throw new CliError("layout-file-invalid", `${option}: ${(cause as Error).message}`, { cause });
  }
}

/** All built-in layouts as lines of text. */
export function listLayouts(): string {
  const width = Math.max(...BUILT_IN_LAYOUTS.map(({ id }) => id.length));
  return BUILT_IN_LAYOUTS.map(({ id, title }) => `${id.padEnd(width)}  ${title}\n`).join("");
}
