import type { Layout } from "./layout.ts";
import { builtInLayoutFile, type LayoutFile } from "./layout-file.ts";
import atBurgenland from "./layouts/at-burgenland.json" with { type: "json" };
import atNetzNoe from "./layouts/at-netz-noe.json" with { type: "json" };
import atUpperAustria from "./layouts/at-upper-austria.json" with { type: "json" };
import atWienerNetze from "./layouts/at-wiener-netze.json" with { type: "json" };
import chThurgau from "./layouts/ch-thurgau.json" with { type: "json" };
import hrIskra from "./layouts/hr-iskra.json" with { type: "json" };
import idisConsumer from "./layouts/idis-consumer.json" with { type: "json" };
import kamstrup from "./layouts/kamstrup.json" with { type: "json" };
import noKaifa from "./layouts/no-kaifa.json" with { type: "json" };
import siIskra from "./layouts/si-iskra.json" with { type: "json" };

/**
 * The layouts that come with the package, one file for each operator or family of meters. Layouts with columns fit only
 * what has exactly these columns; of the others the first that matches counts, so the more exact ones come first.
 */
export const BUILT_IN_LAYOUT_FILES: readonly LayoutFile[] = [
  atWienerNetze,
  atBurgenland,
  atUpperAustria,
  atNetzNoe,
  noKaifa,
  siIskra,
  hrIskra,
  chThurgau,
  kamstrup,
  idisConsumer,
].map(builtInLayoutFile);

/** All layouts of {@link BUILT_IN_LAYOUT_FILES}. */
export const BUILT_IN_LAYOUTS: readonly Layout[] = BUILT_IN_LAYOUT_FILES.flatMap((file) => file.layouts);
