import { DlmsError } from "../errors.ts";
import type { MeterFacts } from "./meter-profile.ts";

/** Profiles that extend each other end here. */
const MOST_ANCESTORS = 8;

/**
 * A profile with what it inherits: fields of objects one by one, lists as a whole; clients by name.
 *
 * @throws DlmsError `invalid-value` where it, or one that it extends, does not exist, or extends itself.
 */
export function resolveProfile(id: string, profiles: readonly MeterFacts[]): MeterFacts {
  return resolved(id, profiles, []);
}

function resolved(id: string, profiles: readonly MeterFacts[], heirs: readonly string[]): MeterFacts {
  const own = profiles.find((profile) => profile.id === id);
  if (own === undefined) {
    const wanted = heirs.length === 0 ? "" : `, which ${heirs.at(-1)} extends`;
    const known = profiles.map((profile) => profile.id).join(", ");
    throw new DlmsError("invalid-value", `there is no meter profile "${id}"${wanted}; there are ${known || "none"}`);
  }
  if (own.extends === undefined) return own;
  if (heirs.includes(id) || heirs.length >= MOST_ANCESTORS)
    throw new DlmsError("invalid-value", `the meter profile "${id}" extends itself, or too many others`);
  return inherit(resolved(own.extends, profiles, [...heirs, id]), own);
}

function inherit(from: MeterFacts, own: MeterFacts): MeterFacts {
  const clients = [
    ...(from.clients ?? []).filter(
      ({ name, sap }) => !own.clients?.some((one) => one.name === name || one.sap === sap),
    ),
    ...(own.clients ?? []),
  ];
  return {
    ...from,
    ...own,
    ...(clients.length === 0 ? {} : { clients }),
    ...merged("transport", from, own),
    ...merged("hdlc", from, own),
    ...merged("services", from, own),
    ...merged("ciphering", from, own),
    ...merged("security", from, own),
    ...merged("quirks", from, own),
    ...merged("objects", from, own),
  };
}

type Group = "transport" | "hdlc" | "services" | "ciphering" | "security" | "quirks" | "objects";

function merged(group: Group, from: MeterFacts, own: MeterFacts): Partial<MeterFacts> {
  if (from[group] === undefined && own[group] === undefined) return {};
  return { [group]: { ...from[group], ...own[group] } };
}
