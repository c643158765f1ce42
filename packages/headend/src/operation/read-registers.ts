import { type FieldValue, listOf, object, optional } from "@meterkeep/guard";
import { logicalName } from "../profile/object-name.ts";
import type { RegisterRecord } from "../reading/result.ts";
import { counted } from "../reading/words.ts";
import { scaledValue } from "../session/scaler-table.ts";
import { snapshotByClock, storedRead } from "./clock-seen.ts";
import type { Operation } from "./operation.ts";
import { obis, reading } from "./reading.ts";

const codes = listOf(obis, 64);
const parameters = object({
  /** Those of the meter profile unless they are named. */
  registers: optional(codes),
});
type RegisterParameters = FieldValue<typeof parameters>;

/** Reads registers on demand, in their units, with the state of the supply where the meter has a relay. */
export const registersOperation: Operation<RegisterParameters> = reading({
  name: "registers",
  parameters,
  example: {},
  words: ({ registers }) => (registers === undefined ? "read the registers" : `read ${registers.join(", ")}`),
  run: async (on, { registers = on.profile.registers }) => {
    await on.reader.learnScales(registers);
    on.begin();
    const seen = await snapshotByClock(on, registers);
    const { snapshot } = seen;
    const evidence = on.evidence();
    const at = snapshot.clock ?? on.clock.atSource(on.now());
    const read = snapshot.values.map(({ obis: code, count }): RegisterRecord => {
      const scale = on.reader.scale(code);
      const unit = scale.unit === "" ? undefined : scale.unit;
      return { obis: code, value: scaledValue(count, scale), unit, at, evidence };
    });
    const facts = read.map(({ obis: code, value, unit }) => ({
      name: code,
      object: `${logicalName(code)}/2`,
      found: unit === undefined ? String(value) : `${value} ${unit}`,
      holds: true,
      evidence,
    }));
    const missing = registers.filter((code) => !read.some((each) => each.obis === code));
    return {
      outcome: missing.length === 0 ? "unchanged" : "not-taken",
      sentence: `${counted(read.length, "register")} read${missing.length === 0 ? "" : `; it does not give ${missing.join(", ")}`}.`,
      readBack: facts,
      findings: [],
      data: read.map(({ obis: code, value, unit }) => ({ obis: code, value, unit, at: new Date(at).toISOString() })),
      read: storedRead(seen, { registers: read }),
    };
  },
});
