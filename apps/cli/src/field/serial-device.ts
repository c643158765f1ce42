const SERIAL = /^serial:(\/.+)$/;

/** The device file of `serial:/dev/…`; undefined for another address. */
export function serialDevice(address: string): string | undefined {
  return SERIAL.exec(address)?.[1];
}
