import { HeadEndError } from "../errors.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";

/** What the profile says of an object, which an operation cannot do without. @throws HeadEndError `operation-not-offered` */
export function offered<T>(fact: T | undefined, what: string, { name }: MeterProfile): T {
  if (fact !== undefined) return fact;
  throw new HeadEndError("operation-not-offered", `meters of profile ${name} have no ${what}`);
}
