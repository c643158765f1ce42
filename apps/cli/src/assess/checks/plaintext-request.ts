import { type Check, fail, pass } from "../check.ts";
import { DEVICE_NAME } from "../requests.ts";

/** A plain APDU in a ciphered association. */
export const plaintextRequest: Check = {
  id: "plaintext-request",
  title: "A plain request in a ciphered association is refused",
  severity: "critical",
  why: "Whoever can write to the line speaks in the name of the client that has associated.",
  how: "A GET is sent in clear after a genuine association.",
  clause: "Green Book 9.4.2.2, Blue Book 4.4.7",
  async run(bench) {
    const association = await bench.associate();
    const answer = await association.sayWire("a plain GET", bench.requests.get(DEVICE_NAME));
    return answer.served
      ? fail(
          `The meter served a plain GET in a ciphered association, ${answer.protection === "plain" ? "in clear" : "ciphered"}.`,
        )
      : pass(`The plain GET was refused (${answer.words}).`);
  },
};
