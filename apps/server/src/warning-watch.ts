import type { CustodianSummary, Warning } from "@meterkeep/api";
import type { EventHub } from "@meterkeep/headend";

/** Tells watchers when the warnings are others than before. What they were at the first look, each page read for itself. */
export class WarningWatch {
  readonly #warnings: () => readonly Warning[];
  readonly #custodian: { readonly summary: CustodianSummary };
  readonly #hub: Pick<EventHub, "publish">;
  #told: string | undefined;

  constructor(
    warnings: () => readonly Warning[],
    custodian: { readonly summary: CustodianSummary },
    hub: Pick<EventHub, "publish">,
  ) {
    this.#warnings = warnings;
    this.#custodian = custodian;
    this.#hub = hub;
  }

  look(): void {
    const warnings = [...this.#warnings()];
    const now = JSON.stringify(warnings);
    if (this.#told !== undefined && this.#told !== now)
      this.#hub.publish("warnings", { warnings, custodian: this.#custodian.summary });
    this.#told = now;
  }
}
