/** The scalers that COSEM knows are one octet; beyond these no real register goes. */
const MOST_DIGITS = 15;

/**
 * `raw` times ten to the power of `scaler`, exactly: the decimal text is moved, not multiplied, so 2345 and -1 give
 * 234.5. Where a double cannot hold all digits, the result is decimal text.
 */
export function scaled(raw: number | bigint, scaler: number): number | string {
  if (typeof raw === "number" && !Number.isInteger(raw)) return Number(`${raw}e${scaler}`);
  const digits = (raw < 0 ? -BigInt(raw) : BigInt(raw)).toString();
  if (digits.length <= MOST_DIGITS) return Number(`${raw}e${scaler}`);
  const sign = raw < 0 ? "-" : "";
  if (scaler >= 0) return sign + digits + "0".repeat(scaler);
  const padded = digits.padStart(1 - scaler, "0");
  const whole = padded.slice(0, padded.length + scaler);
  const fraction = padded.slice(padded.length + scaler).replace(/0+$/, "");
  return sign + whole + (fraction === "" ? "" : `.${fraction}`);
}

/** The shortest decimal number that is this float32: 230.1, not 230.10000610351562. */
export function float32InDecimal(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
