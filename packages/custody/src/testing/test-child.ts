import { createDecipheriv } from "node:crypto";
import type { MBus } from "@meterkeep/dlms";

const IDENTITY = { identificationNumber: 0x12345678, manufacturerId: 0x4d4b, version: 1, deviceType: 3 };

/** A gas meter at an M-Bus channel, and what its meter reads it with. It decrypts with what it was made with, as devices do. */
export class TestChild implements MBus {
  readonly defaultKey: Uint8Array;
  /** What it seals its telegrams with, and what its meter opens them with. */
  own: Uint8Array | undefined;
  used: Uint8Array | undefined;
  /** Whether it answers. */
  isThere = true;

  constructor(defaultKey: Uint8Array) {
    this.defaultKey = defaultKey;
  }

  install = () => (this.isThere ? IDENTITY : undefined);
  deinstall = () => {};
  synchronizeClock = () => this.isThere;
  send = () => this.isThere;
  useKey = (_: number, key: Uint8Array | undefined) => {
    this.used = key && Uint8Array.from(key);
  };
  transferKey = (_: number, wrapped: Uint8Array) => {
    if (!this.isThere || wrapped.length !== 16) return false;
    const cipher = createDecipheriv("aes-128-cbc", this.defaultKey, new Uint8Array(16)).setAutoPadding(false);
    this.own = new Uint8Array(Buffer.concat([cipher.update(wrapped), cipher.final()]));
    return true;
  };
  /** A telegram says something only where both have one key. */
  capture = () => {
    const isOpen = this.own !== undefined && this.used !== undefined && Buffer.from(this.own).equals(this.used);
    return isOpen ? { accessNumber: 1, status: 0, configuration: 5 } : undefined;
  };
}

/** A channel without a device. */
export const NO_CHILD: MBus = {
  install: () => undefined,
  deinstall: () => {},
  capture: () => undefined,
  synchronizeClock: () => false,
  send: () => false,
  useKey: () => {},
  transferKey: () => false,
};
