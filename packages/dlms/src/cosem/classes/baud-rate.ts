import { d } from "../../data/d.ts";

/** Speeds of serial ports as all classes number them, in bit/s (Blue Book 4.7). */
export const baudRate = d.openEnumeration({
  "300": 0,
  "600": 1,
  "1200": 2,
  "2400": 3,
  "4800": 4,
  "9600": 5,
  "19200": 6,
  "38400": 7,
  "57600": 8,
  "115200": 9,
});
