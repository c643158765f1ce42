import { SecretKey } from "@meterkeep/dlms-node";
import { CallRefusal } from "../calls/call-refusal.ts";
import { meterFacts, type SecretClient } from "../protocol/meter-facts.ts";
import type { MeterRecord } from "../store/records.ts";
import type { SecretName } from "./journal.ts";

/** The client whose secret a key is, as its meter's profile has it. */
export function secretClientOf(meter: Pick<MeterRecord, "profile">, { client, purpose }: SecretName): SecretClient {
  const found = meterFacts(meter.profile).secretClients.find(
    (one) => one.clientSap === client && one.purpose === purpose,
  );
  if (found === undefined)
    throw new CallRefusal("custodian-failed", `profile ${meter.profile} has no client ${client} with such a secret`);
  return found;
}

/** 64 characters that every keypad and every hand-held unit has: six bits each. */
const PRINTABLE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A random secret, as its client can use it. */
export function freshSecret({ octets, printable }: Pick<SecretClient, "octets" | "printable">): SecretKey {
  const random = SecretKey.random(octets);
  if (!printable) return random;
  using own = random;
  return own.lend((bytes) =>
    SecretKey.take(Uint8Array.from(bytes, (octet) => PRINTABLE.charCodeAt(octet % PRINTABLE.length))),
  );
}
