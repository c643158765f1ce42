import { type MeterKeys, weaknessOf } from "@meterkeep/dlms";

const NAMES: Readonly<Record<keyof MeterKeys, string>> = {
  encryptionKey: "encryption key",
  authenticationKey: "authentication key",
  broadcastKey: "broadcast key",
};

/** What is to be said about the keys of a meter that is being attached; a sentence each, without a key in it. */
export function keyWarnings(keys: MeterKeys): string[] {
  const weak = Object.entries(NAMES).flatMap(([name, words]) => {
    const key = keys[name as keyof MeterKeys];
    const weakness = key === undefined ? undefined : weaknessOf(key);
    return weakness === undefined
      ? []
      : [`the ${words} ${weakness}: whoever knows it can speak for this meter, so what it sends proves nothing`];
  });
  const { encryptionKey, authenticationKey } = keys;
  const isShared =
    encryptionKey !== undefined &&
    authenticationKey !== undefined &&
    Buffer.from(encryptionKey).equals(authenticationKey);
  return isShared ? [...weak, "encryption and authentication key are the same: ask the meter's owner for both"] : weak;
}
