/** Profiles whose ends enrol over EST: clients of TLS that keep their keys themselves, and are no meters. */
export const ENROLLED_OVER_EST: ReadonlySet<string> = new Set([
  "tls-client",
  "concentrator",
  "worker",
  "custodian",
  "edge-adapter",
  "technician",
]);
