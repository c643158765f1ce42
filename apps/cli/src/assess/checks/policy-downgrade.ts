import { type Check, fail, pass } from "../check.ts";
import { DEVICE_NAME } from "../requests.ts";

const WEAKER = [
  ["encrypted without a tag", { authenticated: false, encrypted: true }],
  ["authenticated without encryption", { authenticated: true, encrypted: false }],
] as const;

/** Requests with less protection than the association has. */
export const policyDowngrade: Check = {
  id: "policy-downgrade",
  title: "A request without a tag, or without encryption, is refused",
  severity: "critical",
  why: "A request without a tag can be altered bit by bit by whoever is on the line: what was a GET becomes something else.",
  how: "In an association with authenticated encryption a GET is sent encrypted only, and one authenticated only.",
  clause: "Blue Book 4.4.7 (security_policy), Green Book 9.2.7.2.4.1",
  async run(bench) {
    const served: string[] = [];
    const refusals: string[] = [];
    for (const [name, ciphering] of WEAKER) {
      const association = await bench.associate();
      const answer = await association.get(`a GET ${name}`, DEVICE_NAME, { ciphering });
      if (answer.served) served.push(name);
      else refusals.push(answer.words);
    }
    if (served.length > 0) return fail(`The meter served a GET that was ${served.join(", and one that was ")}.`);
    return pass(`Both were refused (${[...new Set(refusals)].join("; ")}).`);
  },
};
