import { between, derive, household, type KeyFault, uniform } from "@meterkeep/meter";
import { type ProfileMix, profileAt } from "./profile-mix.ts";
import { addressOf } from "./street-names.ts";

/** One meter as the layout wants it, before it has an identity. */
export interface PlannedMeter {
  readonly role: "home" | "transformer";
  /** Id of a companion profile. */
  readonly profile: string;
  readonly securitySuite: 0 | 1 | 2;
  readonly phases: 1 | 3;
  readonly seed: number;
  readonly position: number;
  readonly label: string;
  /** 1 to 3, or 0 for a home on all three phases. */
  readonly phase: 0 | 1 | 2 | 3;
  readonly keyFault: KeyFault;
  readonly pushProtection: "authenticated-encrypted" | "encrypted";
}

/** A feeder with its transformer meter and homes. */
export interface PlannedFeeder {
  readonly id: string;
  readonly name: string;
  readonly path: "wan" | "depot";
  readonly ratedKva: number;
  readonly transformer: PlannedMeter;
  readonly homes: readonly PlannedMeter[];
}

const FEEDERS = [
  { id: "F1", name: "Mühlbach", path: "wan" },
  { id: "F2", name: "Kirchfeld", path: "wan" },
  { id: "F3", name: "Am Anger", path: "wan" },
  { id: "F4", name: "Werksiedlung", path: "depot" },
] as const;

/** The homes of the depot's feeder, counted from 1, whose meters misbehave. */
const LIARS: Readonly<Record<number, KeyFault>> = { 7: "keepKeys", 13: "keepMaster" };

/** What a town is made of where nobody wants another mix. */
const USUAL_MIX: ProfileMix = [
  { profile: "idis-p2", share: 45 },
  { profile: "dsmr-5", share: 30 },
  { profile: "is15959", share: 25 },
];

/** Ratings in kVA that transformers are made with. */
const RATINGS = [50, 100, 160, 250, 400, 630, 1000, 1600, 2500, 4000, 6300, 10_000, 25_000, 63_000, 125_000] as const;

/** Of the meters that would be of IDIS package 2, so many are of package 3, with certificates, where the mix says nothing of that; of those so many of suite 2. */
const CERTIFIED = 0.15;
const SUITE_2 = 0.25;

/** Every so many meters of the profile pushes without a tag. */
const TAGLESS_EVERY = 12;

/**
 * Lays out the town: a function of the number of homes and the seed, and of whether the customer has named a trust anchor
 * that meters with certificates can be made with.
 */
export function planTown(homes: number, seed: number, hasAnchor = false, mix = USUAL_MIX): readonly PlannedFeeder[] {
  let tagless = 0;
  // Who names that profile in the mix has said how many homes have certificates.
  const saysCertified = mix.some(({ profile }) => profile === "idis-p3");
  return FEEDERS.map((feeder, n) => {
    const count = Math.floor(homes / FEEDERS.length) + (n < homes % FEEDERS.length ? 1 : 0);
    const planned = Array.from({ length: count }, (_, home): PlannedMeter => {
      const meterSeed = derive(derive(seed, n + 1), home + 1);
      const kind = household(meterSeed).kind;
      const threePhase = ["heatPump", "car", "prosumer", "shop"].includes(kind) || uniform(meterSeed, 1) < 0.25;
      const draw = uniform(meterSeed, 2);
      const keyFault = feeder.path === "depot" ? (LIARS[home + 1] ?? "none") : "none";
      const isCertified = hasAnchor && !saysCertified && keyFault === "none" && uniform(meterSeed, 5) < CERTIFIED;
      const drawn = profileAt(mix, draw);
      const profile = drawn === "idis-p2" && isCertified ? "idis-p3" : drawn;
      const withoutTag = profile === "dsmr-5" && tagless++ % TAGLESS_EVERY === 5;
      return {
        role: "home",
        profile,
        securitySuite: profile !== "idis-p3" ? 0 : uniform(meterSeed, 6) < SUITE_2 ? 2 : 1,
        phases: threePhase ? 3 : 1,
        seed: meterSeed,
        position: (home + between(meterSeed, 3, 0.2, 0.8)) / Math.max(1, count),
        label: addressOf(seed, n, FEEDERS.length, home),
        phase: threePhase ? 0 : (([1, 2, 3] as const)[Math.floor(uniform(meterSeed, 4) * 3)] ?? 1),
        keyFault,
        pushProtection: withoutTag ? "encrypted" : "authenticated-encrypted",
      };
    });
    const ratedKva = RATINGS.find((rating) => rating >= count * 3.2) ?? 125_000;
    return {
      ...feeder,
      ratedKva,
      homes: planned,
      transformer: {
        role: "transformer",
        profile: "idis-p2",
        securitySuite: 0,
        phases: 3,
        seed: derive(derive(seed, n + 1), 0),
        position: 0,
        label: `Transformer ${feeder.name}`,
        phase: 0,
        keyFault: "none",
        pushProtection: "authenticated-encrypted",
      },
    };
  });
}
