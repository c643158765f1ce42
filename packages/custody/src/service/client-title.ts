import { createHash } from "node:crypto";
import { type SystemTitle, systemTitle } from "@meterkeep/dlms";

const MAKER = Buffer.from("MKC", "ascii");

/**
 * Our own system title towards the meters of a utility: three letters and five octets that follow from this custodian
 * and the utility, so that no two custodians share one and a restart does not change it.
 */
export function clientTitles(recipientKeyId: string): (utility: string) => SystemTitle {
  const titles = new Map<string, SystemTitle>();
  return (utility) => {
    let title = titles.get(utility);
    if (title === undefined) {
      const digest = createHash("sha256").update(`meterkeep-client-title-1/${recipientKeyId}/${utility}`).digest();
      title = systemTitle(new Uint8Array(Buffer.concat([MAKER, digest.subarray(0, 5)])));
      titles.set(utility, title);
    }
    return title;
  };
}
