import { ANNOUNCEMENT_KINDS, type AnnouncementKind, type NumberedAnnouncement } from "./announcement.ts";
import type { Consignment } from "./carrier.ts";

const MOST_OCTETS = 8 * 1_048_576;
const ORIGIN = /^[^/\p{Cc}]{1,100}\/[^/\p{Cc}]{1,100}\/[0-9a-f]{8}$/u;
const METER = /^[0-9A-F]{16}$/;

/** Reads a consignment as it travels; undefined where it is none, or its numbers do not rise. */
export function parseConsignment(octets: Uint8Array): Consignment | undefined {
  if (octets.length > MOST_OCTETS) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { origin, announcements } = value;
  if (typeof origin !== "string" || !ORIGIN.test(origin) || !Array.isArray(announcements)) return undefined;
  const parsed: NumberedAnnouncement[] = [];
  for (const one of announcements as unknown[]) {
    const announcement = announcementOf(one);
    if (announcement === undefined || announcement.sequence <= (parsed.at(-1)?.sequence ?? 0)) return undefined;
    parsed.push(announcement);
  }
  return parsed.length === 0 ? undefined : { origin, announcements: parsed };
}

function announcementOf(value: unknown): NumberedAnnouncement | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, meter, body, sequence, at } = value;
  if (!ANNOUNCEMENT_KINDS.includes(kind as AnnouncementKind)) return undefined;
  if (typeof meter !== "string" || !METER.test(meter) || typeof body !== "string" || body.includes("\u0000"))
    return undefined;
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(at)) return undefined;
  if ((at as number) < 0 || (at as number) > 8.64e15) return undefined;
  return { kind: kind as AnnouncementKind, meter, body, sequence: sequence as number, at: at as number };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
