/** A value that is already encoded as Data: a handler that has octets at hand (profile rows) saves encoding them again. */
export class EncodedData {
  readonly octets: Uint8Array;

  constructor(octets: Uint8Array) {
    this.octets = octets;
  }
}

/** Says that `octets` are one complete Data value, tag included. They are sent as they are. */
export function encodedData(octets: Uint8Array): EncodedData {
  return new EncodedData(octets);
}
