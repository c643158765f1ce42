/**
 * Symbols of the DLMS units (Blue Book 4.3.2, table of `unit`), as they stand behind a value. 255 is a count without a
 * unit, hence the empty symbol.
 */
export const UNIT_SYMBOLS: Readonly<Record<number, string>> = {
  1: "a",
  2: "mo",
  3: "wk",
  4: "d",
  5: "h",
  6: "min",
  7: "s",
  8: "°",
  9: "°C",
  10: "currency",
  11: "m",
  12: "m/s",
  13: "m³",
  14: "m³",
  15: "m³/h",
  16: "m³/h",
  17: "m³/d",
  18: "m³/d",
  19: "l",
  20: "kg",
  21: "N",
  22: "Nm",
  23: "Pa",
  24: "bar",
  25: "J",
  26: "J/h",
  27: "W",
  28: "VA",
  29: "var",
  30: "Wh",
  31: "VAh",
  32: "varh",
  33: "A",
  34: "C",
  35: "V",
  36: "V/m",
  37: "F",
  38: "Ω",
  39: "Ωm²/m",
  40: "Wb",
  41: "T",
  42: "A/m",
  43: "H",
  44: "Hz",
  45: "1/(Wh)",
  46: "1/(varh)",
  47: "1/(VAh)",
  48: "V²h",
  49: "A²h",
  50: "kg/s",
  51: "S",
  52: "K",
  53: "1/(V²h)",
  54: "1/(A²h)",
  55: "1/m³",
  56: "%",
  57: "Ah",
  60: "Wh/m³",
  61: "J/m³",
  62: "mol%",
  63: "g/m³",
  64: "Pa s",
  65: "J/kg",
  66: "g/cm²",
  67: "atm",
  70: "dBm",
  71: "dBµV",
  72: "dB",
  255: "",
};

const UNIT_NUMBERS: ReadonlyMap<string, number> = new Map(
  Object.entries(UNIT_SYMBOLS)
    .reverse()
    .map(([number, symbol]) => [symbol, Number(number)]),
);

/** The symbol of a DLMS unit; `unit(99)` for a number the Blue Book does not define. */
export function unitSymbol(unit: number): string {
  return UNIT_SYMBOLS[unit] ?? `unit(${unit})`;
}

/** The lowest DLMS unit with this symbol, undefined when there is none. */
export function unitNumber(symbol: string): number | undefined {
  return UNIT_NUMBERS.get(symbol);
}
