const TRANSACTION_BYTES = 8;

/** The transaction id of what goes under a counter: counters only rise, so that none comes twice and meters take each as new. */
export function transactionIdOf(counter: number): Uint8Array {
  const id = new Uint8Array(TRANSACTION_BYTES);
  new DataView(id.buffer).setUint32(TRANSACTION_BYTES - 4, counter);
  return id;
}
