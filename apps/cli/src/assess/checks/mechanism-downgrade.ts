import type { KeyObject } from "node:crypto";
import type { AssociationConfig } from "@meterkeep/dlms";
import { type Check, fail, pass } from "../check.ts";

/** Passwords that are tried: none, and two that are found in the field. Few, for meters that lock. */
const PASSWORDS = ["", "00000000", "12345678"] as const;

/** Weaker ways to become the management client. */
export const mechanismDowngrade: Check = {
  id: "mechanism-downgrade",
  title: "The management client cannot choose a weaker mechanism",
  severity: "critical",
  why: "If the same client is let in without proof or by a guessed password, its keys protect nothing.",
  how: "An association of the management client is asked for without authentication, and with low level security under three well-known passwords.",
  clause: "Green Book 9.4.2.2.2, Blue Book 4.4.4 (authentication_mechanism_name)",
  async run(bench) {
    const attempts: readonly (readonly [name: string, AssociationConfig<KeyObject>])[] = [
      ["without authentication", bench.plain({ kind: "none" })],
      ...PASSWORDS.map(
        (password) =>
          [
            `by the password "${password}"`,
            bench.plain({ kind: "lls", password: new TextEncoder().encode(password) }),
          ] as const,
      ),
    ];
    for (const [name, config] of attempts) {
      const outcome = await bench.attempt(config, `AARQ of client ${bench.access.clientSap} ${name}`);
      if (outcome.kind === "established") return fail(`Client ${bench.access.clientSap} was let in ${name}.`);
    }
    return pass(`All ${attempts.length} weaker associations of client ${bench.access.clientSap} were refused.`);
  },
};
