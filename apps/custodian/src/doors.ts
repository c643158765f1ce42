import { writeFileSync } from "node:fs";

/**
 * Closes what could carry keys out by accident: the kernel is told to leave every mapping out of a core dump, and the
 * diagnostic report of Node (which holds the heap's summary and the environment) is not written.
 */
export function closeDoors(): void {
  process.title = "meterkeep-custodian";
  try {
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch {
    // Not Linux, or not allowed: the supervisor's limit on core files is what is left.
  }
  process.report.reportOnFatalError = false;
  process.report.reportOnSignal = false;
  process.report.reportOnUncaughtException = false;
}
