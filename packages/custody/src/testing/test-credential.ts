import { randomBytes } from "node:crypto";
import { type ChannelCredential, createChannelCredential } from "@meterkeep/pki";

/** A credential of the channel under a name, for as long as any test's clock goes. */
export function testCredential(name: string): ChannelCredential {
  return createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2056-01-01T00:00:00Z"),
  });
}
