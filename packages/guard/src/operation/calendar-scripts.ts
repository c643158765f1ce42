import { data, decode, toHex } from "@meterkeep/dlms";

/** 0-0:10.0.100.255, the tariffication script table: its scripts choose registers, nothing else. */
export const TARIFF_SCRIPTS = "00000a0064ff";

/** The script tables that the days of a day profile table run, as hex; undefined where the octets are none. */
export function scriptsOfDays(octets: Uint8Array): readonly string[] | undefined {
  let days: ReturnType<typeof parts>;
  try {
    days = parts(decode(data, octets), "array");
  } catch {
    return undefined;
  }
  const scripts: string[] = [];
  for (const day of days ?? [undefined]) {
    const [, schedule] = parts(day, "structure") ?? [];
    const entries = parts(schedule, "array");
    if (entries === undefined) return undefined;
    for (const entry of entries) {
      const script = parts(entry, "structure")?.[1] as { type?: string; value?: unknown } | undefined;
      if (script?.type !== "octet-string") return undefined;
      scripts.push(toHex(script.value as Uint8Array));
    }
  }
  return scripts;
}

function parts(value: unknown, type: "array" | "structure"): readonly unknown[] | undefined {
  const read = value as { type?: string; value?: unknown } | undefined;
  return read?.type === type && Array.isArray(read.value) ? read.value : undefined;
}
