const LENGTH_BYTES = 4;

/** Where a meter key belongs: everything a sealed key is bound to. A key that stands in another place does not open. */
export interface KeyPlace {
  readonly utility: string;
  readonly island: string;
  readonly systemTitle: Uint8Array;
  /** The `e` of the security setup 0-0:43.0.e.255. */
  readonly setup: number;
  /** The standard's key_id: 0 GUEK, 1 GBEK, 2 GAK, 3 KEK. */
  readonly purpose: number;
  /** From 1, counted per meter, setup and purpose. */
  readonly version: number;
}

/** Additional data that binds a sealed meter key to its place; each field has its length before it. */
export function keyPlaceData(place: KeyPlace): Buffer {
  return boundData(
    "meterkeep-vault-1/meter-key",
    place.utility,
    place.island,
    place.systemTitle,
    Uint8Array.of(place.setup, place.purpose),
    number32(place.version),
  );
}

/** Joins fields so that no two lists of fields give the same octets. */
export function boundData(...fields: readonly (string | Uint8Array)[]): Buffer {
  let length = 0;
  for (const field of fields) length += LENGTH_BYTES + octetsOf(field);
  const data = Buffer.allocUnsafe(length);
  let at = 0;
  for (const field of fields) {
    at = data.writeUInt32BE(octetsOf(field), at);
    if (typeof field === "string") at += data.write(field, at, "utf8");
    else {
      data.set(field, at);
      at += field.length;
    }
  }
  return data;
}

function octetsOf(field: string | Uint8Array): number {
  return typeof field === "string" ? Buffer.byteLength(field, "utf8") : field.length;
}

function number32(value: number): Buffer {
  const octets = Buffer.allocUnsafe(4);
  octets.writeUInt32BE(value, 0);
  return octets;
}
