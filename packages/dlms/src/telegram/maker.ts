/**
 * Makers by their FLAG id, the three letters in which system titles and logical device names begin (the register is
 * kept by the DLMS UA).
 */
export const MAKERS: Readonly<Record<string, string>> = {
  ABB: "ABB",
  ACE: "Itron (Actaris)",
  ADD: "ADDAX",
  ADN: "Aidon",
  AID: "Aidon",
  CIR: "Circutor",
  EBZ: "eBZ",
  EFR: "EFR",
  EGM: "Elgama",
  ELS: "Elster (Honeywell)",
  EMH: "EMH metering",
  ESY: "EasyMeter",
  GEC: "General Electric",
  HAG: "Hager",
  HXE: "Hexing",
  ISK: "Iskraemeco",
  KAM: "Kamstrup",
  KFM: "Kaifa",
  KMP: "Kamstrup",
  LGZ: "Landis+Gyr",
  LGF: "Landis+Gyr",
  LOG: "Logarex",
  LUG: "Landis+Gyr",
  NES: "Networked Energy Services",
  SAG: "Sagemcom",
  SIE: "Siemens",
  SMS: "Siemens",
  XMX: "Xemex",
  ZIV: "ZIV",
  ZPA: "ZPA",
};

/** A maker: the FLAG id and, where the table knows it, the name. */
export interface Maker {
  readonly flag: string;
  readonly name: string | undefined;
}

/** The maker behind a text that begins with a FLAG id, undefined where it begins with anything else. */
export function makerOf(text: string): Maker | undefined {
  const flag = text.slice(0, 3).toUpperCase();
  return /^[A-Z]{3}$/.test(flag) ? { flag, name: MAKERS[flag] } : undefined;
}
