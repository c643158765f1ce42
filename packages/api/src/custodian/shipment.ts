import { c, type Infer } from "@meterkeep/dlms";
import { handle, longText, meterTitle, oneOf, place, record, shortText, union } from "./wire.ts";

/** The most octets of one chunk. */
export const MAX_CHUNK_BYTES = 512 * 1024;

/** The most meters of one page. */
export const MAX_PAGE_METERS = 500;

/** Why a shipment, or the sealed keys of one meter, were refused; nothing was changed. */
export const SHIPMENT_REFUSAL_CODES = [
  "shipment-not-canonical",
  "shipment-malformed",
  "shipment-version-unknown",
  "shipment-manufacturer-unknown",
  "shipment-recipient-wrong",
  "shipment-master-unknown",
  "shipment-already-imported",
  "shipment-line-too-long",
  "shipment-line-out-of-order",
  "shipment-count-wrong",
  "shipment-root-wrong",
  "shipment-signature-wrong",
  "shipment-trailing-octets",
  "shipment-truncated",
  "meter-duplicate-in-file",
  "meter-already-in-custody",
  "meter-keys-not-authentic",
  "meter-keys-incomplete",
  "meter-key-shared",
  "meter-check-value-wrong",
] as const;
export type ShipmentRefusalCode = (typeof SHIPMENT_REFUSAL_CODES)[number];

/** What the head-end may know about a meter that is in custody now. */
export const importedMeter = record({
  systemTitle: meterTitle,
  logicalDeviceName: shortText,
  serialNumber: shortText,
  model: shortText,
  hardwareRevision: shortText,
  firmware: shortText,
  profile: shortText,
  securitySuite: c.unsigned8,
  /** FLAG id and name. */
  manufacturer: record({ flag: shortText, name: shortText }),
  /** Says the custodian's trust in the manufacturer, never the file: its meters are virtual. */
  simulated: c.boolean,
  /** Who could have held the factory keys, the manufacturer first. */
  holders: c.sequenceOf(shortText, { max: 16 }),
});
export type ImportedMeter = Infer<typeof importedMeter>;

/** A key that is weaker than it looks: imported, and said. */
export const keyWarning = record({ systemTitle: meterTitle, purpose: shortText, message: longText });
export type KeyWarning = Infer<typeof keyWarning>;

const refusal = record({
  code: oneOf(SHIPMENT_REFUSAL_CODES),
  /** 0 is the header, 1 to count a meter, count + 1 the trailer; 0 for the keys of a single meter. */
  line: c.unsigned32,
  systemTitle: c.optional(meterTitle),
  message: longText,
});

export const beginShipmentRequest = record(place);
export const beginShipmentResponse = record({ upload: handle });

export const shipmentChunkRequest = record({ upload: handle, bytes: c.bytes({ max: MAX_CHUNK_BYTES }) });
export const shipmentChunkResponse = record({ received: c.unsigned32 });

export const commitShipmentRequest = record({ upload: handle });
export const commitShipmentResponse = union({
  imported: record({
    /** The shipment's id, 32 hex digits. */
    shipment: shortText,
    count: c.unsigned32,
    /** The first page; `shipmentMeters` from `meters.length` on gives the others. */
    meters: c.sequenceOf(importedMeter, { max: MAX_PAGE_METERS }),
    warnings: c.sequenceOf(keyWarning, { max: 100 }),
  }),
  refused: refusal,
});
export type ShipmentOutcome = Infer<typeof commitShipmentResponse>;

export const shipmentMetersRequest = record({ ...place, shipment: shortText, from: c.unsigned32 });
export const shipmentMetersResponse = record({ meters: c.sequenceOf(importedMeter, { max: MAX_PAGE_METERS }) });

/** The file that a manufacturer hands over in what it derives factory keys from (docs/formats/shipment.md). */
export const takeFactoryMasterRequest = record({ file: c.utf8({ max: 32_768 }) });
export const takeFactoryMasterResponse = record({
  /** 32 hex digits. */
  master: shortText,
  manufacturer: shortText,
});

export const addMeterRequest = record({
  ...place,
  systemTitle: meterTitle,
  /** The JSON text of docs/formats/shipment.md, "Sealed keys of a single meter". */
  sealed: c.utf8({ max: 4096 }),
  kind: oneOf(["real"]),
});
export const addMeterResponse = union({
  added: record({ warnings: c.sequenceOf(keyWarning, { max: 8 }) }),
  refused: refusal,
});
export type AddMeterOutcome = Infer<typeof addMeterResponse>;
