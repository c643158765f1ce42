/** How trust looks and reads. Shape and outline carry it, colour only repeats it: the page must be readable without colour. */
import type { MeterSummary } from "@meterkeep/api";

export type Trust = MeterSummary["trust"];

/** `tone` names the palette entry (`--trusted`, `--trusted-wash`, …). */
export interface TrustLook {
  readonly word: string;
  readonly tone: "trusted" | "provisional" | "held" | "degraded" | "quarantined";
  readonly shape: "circle" | "diamond" | "square" | "triangle" | "octagon" | "cross" | "bar";
  readonly outline: "solid" | "dashed" | "double";
  /** What the state allows, in words. */
  readonly means: string;
}

export const TRUST_LOOKS = {
  trusted: {
    word: "trusted",
    tone: "trusted",
    shape: "circle",
    outline: "solid",
    means: "Only the custodian can hold its keys. Its readings may be used for billing and decisions.",
  },
  provisional: {
    word: "provisional",
    tone: "provisional",
    shape: "diamond",
    outline: "solid",
    means: "Its keys are new, but somebody who had the factory keys could have listened. Billing only with a mark.",
  },
  held: {
    word: "held",
    tone: "held",
    shape: "square",
    outline: "dashed",
    means: "Known from its shipment, not taken over yet. Its readings are kept and not used.",
  },
  degraded: {
    word: "degraded",
    tone: "degraded",
    shape: "triangle",
    outline: "solid",
    means: "Something speaks against it. Readings are marked, only reversible commands are allowed.",
  },
  quarantined: {
    word: "quarantined",
    tone: "quarantined",
    shape: "octagon",
    outline: "double",
    means: "It has shown that it cannot be believed. The supply stays on, its readings are kept and not used.",
  },
  distrusted: {
    word: "distrusted",
    tone: "quarantined",
    shape: "cross",
    outline: "solid",
    means: "Nothing it says is kept save its digest.",
  },
  retired: {
    word: "retired",
    tone: "held",
    shape: "bar",
    outline: "solid",
    means: "Out of service. Its readings are an archive.",
  },
} as const satisfies Record<Trust, TrustLook>;

/** The same of a meter whose keys were added by hand: they are not changed, so nothing can be said of new ones. */
const ATTACHED_MEANS: Partial<Record<Trust, string>> = {
  provisional: "Its keys were not made here and stay as they are: others may hold them. Billing only with a mark.",
  held: "Its keys were added by hand, and nothing has proven its readings so far. They are kept and not used.",
};

/** What the state allows, in words, for a meter of this role. */
export function trustMeans(trust: Trust, role: MeterSummary["role"]): string {
  return (role === "attached" ? ATTACHED_MEANS[trust] : undefined) ?? TRUST_LOOKS[trust].means;
}

/** In the order in which the page lists them: from worst known to best earned would alarm, so it follows the way a meter goes. */
export const TRUST_ORDER = [
  "held",
  "provisional",
  "trusted",
  "degraded",
  "quarantined",
  "distrusted",
  "retired",
] as const satisfies readonly Trust[];

/**
 * SVG path of a trust shape around the origin, `radius` from the centre to its furthest edge on the axes. Its commands are relative: put behind `M x y` it stands there.
 */
export function trustPath(trust: Trust, radius: number): string {
  const r = radius;
  switch (TRUST_LOOKS[trust].shape) {
    case "circle": {
      const c = round(r * 0.94);
      return `m${-c} 0a${c} ${c} 0 1 0 ${2 * c} 0a${c} ${c} 0 1 0 ${-2 * c} 0z`;
    }
    case "diamond":
      return polygon([
        [0, -r * 1.12],
        [r * 1.12, 0],
        [0, r * 1.12],
        [-r * 1.12, 0],
      ]);
    case "square":
      return polygon([
        [-r * 0.84, -r * 0.84],
        [r * 0.84, -r * 0.84],
        [r * 0.84, r * 0.84],
        [-r * 0.84, r * 0.84],
      ]);
    case "triangle":
      return polygon([
        [0, -r],
        [r * 1.1, r * 0.86],
        [-r * 1.1, r * 0.86],
      ]);
    case "octagon": {
      const k = r * 0.44;
      const e = r * 1.04;
      return polygon([
        [-k, -e],
        [k, -e],
        [e, -k],
        [e, k],
        [k, e],
        [-k, e],
        [-e, k],
        [-e, -k],
      ]);
    }
    case "cross": {
      const a = r * 0.38;
      return polygon([
        [-r, -r + a],
        [-r + a, -r],
        [0, -a],
        [r - a, -r],
        [r, -r + a],
        [a, 0],
        [r, r - a],
        [r - a, r],
        [0, a],
        [-r + a, r],
        [-r, r - a],
        [-a, 0],
      ]);
    }
    case "bar":
      return polygon([
        [-r, -r * 0.3],
        [r, -r * 0.3],
        [r, r * 0.3],
        [-r, r * 0.3],
      ]);
  }
}

function polygon(points: readonly (readonly [number, number])[]): string {
  let [fromX, fromY] = [0, 0];
  const steps = points.map(([x, y]) => {
    const step = `${round(x - fromX)} ${round(y - fromY)}`;
    [fromX, fromY] = [x, y];
    return step;
  });
  return `m${steps.join("l")}z`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
