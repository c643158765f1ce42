/**
 * Geometry of the one-line diagram. A feeder is a lane: a tap from the busbar, a transformer, a low-voltage bar, and rows of homes hung on conductors.
 * Lengths are CSS pixels. Pure, so that the same numbers draw the picture and move the focus.
 */

/** How close homes stand. Up to 24 px of pitch each home is a full pointer target (WCAG 2.2, 2.5.8); denser towns also have the list. */
export interface Density {
  readonly pitch: number;
  readonly rowHeight: number;
  readonly radius: number;
  /** From the conductor down to the middle of a home; 0 puts the home on the conductor. */
  readonly stem: number;
  /** So close that homes are drawn together, and only the one that is pointed at or focused is a link. */
  readonly crowded: boolean;
}

const DENSITIES: readonly (Density & { readonly upTo: number })[] = [
  { upTo: 150, pitch: 26, rowHeight: 38, radius: 7, stem: 14, crowded: false },
  { upTo: 400, pitch: 24, rowHeight: 26, radius: 6.5, stem: 0, crowded: false },
  { upTo: Number.POSITIVE_INFINITY, pitch: 13, rowHeight: 14, radius: 4.2, stem: 0, crowded: true },
];

/** The density for the feeder with the most homes. */
export function densityFor(homesOfLargestFeeder: number): Density {
  for (const density of DENSITIES) if (homesOfLargestFeeder <= density.upTo) return density;
  throw new RangeError("a town has a finite number of homes");
}

/** Where the fixed parts of every lane stand, for a given width of the page. */
export interface Gutter {
  readonly busbarX: number;
  readonly transformerX: number;
  readonly barX: number;
  readonly firstHomeX: number;
  readonly transformerRadius: number;
}

export function gutterFor(width: number): Gutter {
  return width < 620
    ? { busbarX: 13.5, transformerX: 38, barX: 60, firstHomeX: 70, transformerRadius: 8 }
    : { busbarX: 13.5, transformerX: 74, barX: 122, firstHomeX: 150, transformerRadius: 10 };
}

export interface PlacedHome {
  readonly meter: string;
  readonly row: number;
  readonly column: number;
  readonly x: number;
  readonly y: number;
}

export interface LaneLayout {
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  readonly perRow: number;
  /** Between neighbours in a row. */
  readonly pitch: number;
  /** Height of each row's conductor. */
  readonly conductors: readonly { readonly y: number; readonly toX: number }[];
  readonly homes: readonly PlacedHome[];
}

const TOP = 12;

/** No home stands further from the next than this, however much room there is. */
const WIDEST_PITCH = 44;

/** Places a feeder's homes in rows of even length over the whole width: 50 homes with room for 36 a row become 25 and 25. */
export function layoutLane(homes: readonly string[], width: number, density: Density): LaneLayout {
  const gutter = gutterFor(width);
  const room = Math.max(density.pitch, width - gutter.firstHomeX);
  const fit = Math.max(1, Math.floor(room / density.pitch));
  const rows = Math.max(1, Math.ceil(homes.length / fit));
  const perRow = Math.max(1, Math.ceil(homes.length / rows));
  const pitch = Math.min(WIDEST_PITCH, Math.max(density.pitch, room / perRow));
  const top = TOP + (density.stem === 0 ? density.radius : 0);
  const placed = homes.map((meter, index): PlacedHome => {
    const row = Math.floor(index / perRow);
    const column = index % perRow;
    return {
      meter,
      row,
      column,
      x: Math.round(gutter.firstHomeX + (column + 0.5) * pitch),
      y: top + row * density.rowHeight + density.stem,
    };
  });
  const conductors = Array.from({ length: rows }, (_, row) => {
    const inRow = Math.min(perRow, homes.length - row * perRow);
    return { y: top + row * density.rowHeight, toX: Math.round(gutter.firstHomeX + Math.max(0, inRow - 0.5) * pitch) };
  });
  return { width, height: top + rows * density.rowHeight, rows, perRow, pitch, conductors, homes: placed };
}

/** The home whose place a point of the lane belongs to. */
export function homeAt(layout: LaneLayout, density: Density, x: number, y: number): PlacedHome | undefined {
  const first = layout.homes[0];
  if (first === undefined) return undefined;
  const row = Math.round((y - first.y) / density.rowHeight);
  const column = Math.round((x - first.x) / layout.pitch);
  if (column < 0 || column >= layout.perRow) return undefined;
  return layout.homes[row * layout.perRow + column];
}
