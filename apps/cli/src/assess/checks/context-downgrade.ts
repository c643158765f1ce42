import { type Check, fail, pass } from "../check.ts";
import { DEVICE_NAME } from "../requests.ts";

/** Mechanism 5 without ciphering. */
export const contextDowngrade: Check = {
  id: "context-downgrade",
  title: "A client cannot talk itself out of ciphering",
  severity: "high",
  why: "Who proves the keys once and then speaks in clear can be read and altered by everybody on the line, and its session taken over.",
  how: "An association by mechanism 5 is asked for in the plain application context; where it is granted, a plain GET is sent.",
  clause: "Green Book 9.4.2.2 (application context), Blue Book 4.4.7 (security_policy)",
  async run(bench) {
    const plain = { ...bench.genuine(), cipheredContext: false };
    const outcome = await bench.attempt(plain, "AARQ with the right keys and the plain context");
    if (outcome.kind !== "established") return pass("The meter refused mechanism 5 in the plain context.");
    const answer = await outcome.association.get("a plain GET", DEVICE_NAME);
    return answer.served
      ? fail("The meter granted the plain context to a client with keys, and served it in clear.")
      : pass(`The meter granted the plain context and then refused a plain GET (${answer.words}).`);
  },
};
