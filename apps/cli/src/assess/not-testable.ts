/** Ends a check that cannot say anything about this meter; the message says why. */
export class NotTestable extends Error {
  override readonly name = "NotTestable";
}
