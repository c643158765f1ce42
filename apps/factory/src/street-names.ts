import { derive } from "@meterkeep/meter";

const FIRST = [
  "Linden",
  "Ahorn",
  "Birken",
  "Eichen",
  "Buchen",
  "Rosen",
  "Kirch",
  "Mühl",
  "Bach",
  "Berg",
  "Wiesen",
  "Schul",
  "Garten",
  "Feld",
  "Sonnen",
  "Brunnen",
  "Tannen",
  "Weiden",
  "Kastanien",
  "Holunder",
  "Lerchen",
  "Amsel",
  "Finken",
  "Schmied",
  "Weber",
] as const;
const LAST = ["weg", "gasse", "straße", "ring", "steig", "zeile", "hof", "grund", "rain", "platz"] as const;
const BEFORE = ["", "Obere ", "Untere ", "Alte ", "Neue "] as const;

/** House numbers of one street. */
export const HOMES_A_STREET = 18;

/** An address for the home `home` of the feeder; believable, reproducible and unique within the town. */
export function addressOf(seed: number, feeder: number, feeders: number, home: number): string {
  // Streets are dealt to the feeders in turn, from a list that starts anywhere and goes round in a step coprime to its length.
  const streets = FIRST.length * LAST.length;
  const dealt = Math.floor(home / HOMES_A_STREET) * feeders + feeder;
  const place = (derive(seed, 0x57e) + dealt * 77) % streets;
  const before = BEFORE[Math.floor(dealt / streets) % BEFORE.length] ?? "";
  const name = `${before}${FIRST[place % FIRST.length]}${LAST[Math.floor(place / FIRST.length)]}`;
  return `${name} ${(home % HOMES_A_STREET) + 1}`;
}
