import type { ShipmentRefusalCode } from "@meterkeep/api/custodian";

/**
 * Why a shipment, or the sealed keys of one meter, are refused: thrown by the readers, answered to the caller. Nothing
 * has been changed when it is.
 */
export class ShipmentRefusal extends Error {
  readonly code: ShipmentRefusalCode;
  /** 0 is the header, 1 to count a meter, count + 1 the trailer. */
  readonly line: number;
  /** Upper-case hex, where the record says one. */
  readonly systemTitle: string | undefined;

  constructor(
    code: ShipmentRefusalCode,
    line: number,
    message: string,
    options: { readonly systemTitle?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "ShipmentRefusal";
    this.code = code;
    this.line = line;
    this.systemTitle = options.systemTitle;
  }
}
