/** Has the browser save octets under a name. */
export function offerFile(name: string, octets: Uint8Array<ArrayBuffer>): void {
  const address = URL.createObjectURL(new Blob([octets], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
