import { SecretKey } from "@meterkeep/dlms-node";
import { CallRefusal } from "../calls/call-refusal.ts";
import { meterFacts, type SecretClient } from "../protocol/meter-facts.ts";
import type { MeterRecord } from "../store/records.ts";
import type { Journal, SecretName } from "./journal.ts";

/** Octets of a secret whose length nobody knows; a meter that refuses the first value is offered as many as most passwords have. */
const OCTETS = 16;
const FEWER_OCTETS = 8;

/** The client whose secret a key is, as its meter's profile has it, or as the meter has told. */
export function secretClientOf(
  { meter, journal }: { readonly meter: Pick<MeterRecord, "profile">; readonly journal: Pick<Journal, "secrets"> },
  { client, purpose }: SecretName,
): SecretClient {
  const found = meterFacts(meter.profile).secretClients.find(
    (one) => one.clientSap === client && one.purpose === purpose,
  );
  if (found !== undefined) return found;
  const told = journal.secrets?.find((one) => one.client === client && one.purpose === purpose);
  if (told?.object === undefined || told.mechanism === undefined)
    throw new CallRefusal("custodian-failed", `meter ${meter.profile} has no client ${client} with such a secret`);
  const { object, mechanism, sent } = told;
  const isPassword = mechanism === "low";
  const octets = isPassword && sent > 0 ? FEWER_OCTETS : OCTETS;
  return { purpose: told.purpose, clientSap: client, object, mechanism, octets, printable: isPassword };
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
