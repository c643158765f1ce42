import { CustodyError } from "../errors.ts";
import type { SetupPlace } from "./records.ts";

/** The name of something of a security setup. */
export function setupName(place: SetupPlace, ...more: readonly number[]): string {
  return [place.utility, place.island, place.systemTitle, place.setup, ...more].join("/");
}

/** What the database would refuse. */
export function conflict(message: string): CustodyError {
  return new CustodyError("custody-write-conflict", message);
}
