import { c } from "@meterkeep/dlms";
import { meterTitle, record, shortText } from "./wire.ts";

/** The default key of a device at one of a meter's M-Bus channels, sealed as the keys of a single meter are (docs/formats/shipment.md). */
export const installChildRequest = record({ meter: meterTitle, sealed: c.utf8({ max: 4096 }) });
export const installChildResponse = record({
  channel: c.unsigned8,
  /** Whether a rotation is planned that gives device and meter a key of ours; else one is under way, whose next takes it along. */
  planned: c.boolean,
  /** Why the default key is weaker than it looks. */
  warning: c.optional(shortText),
});
