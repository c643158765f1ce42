import type { LineSettings } from "@meterkeep/dlms";

/** Octets to and from a meter, by whatever way this device has. */
export interface ByteLine {
  /** What the journal calls it. */
  readonly address: string;
  /** What its octets mean: HDLC at a port, or the wrapper of a TCP connection. */
  readonly link: "hdlc" | "wrapper";
  /** Whether it is an optical port, which is opened in mode E first. */
  readonly isOptical: boolean;
  /** Called with octets as they come, and once when the line is gone. */
  listen(onOctets: (octets: Uint8Array) => void, onGone: (why: string) => void): void;
  write(octets: Uint8Array): Promise<void>;
  /** Sets speed and parity, after all that was written has left. */
  set(settings: LineSettings): Promise<void>;
  close(): Promise<void>;
}
