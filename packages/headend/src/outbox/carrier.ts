import type { NumberedAnnouncement } from "./announcement.ts";

/** Announcements of one origin that travel together, in their order. */
export interface Consignment {
  /** Whose numbers these are: `utility/island/run`. */
  readonly origin: string;
  readonly announcements: readonly NumberedAnnouncement[];
}

/**
 * Takes consignments over, so that whoever wants them has them later. Every adapter passes `carrierContract`.
 */
export interface Carrier {
  /**
   * Resolves when the consignment is kept durably. It may be handed over again when that is not known; one origin's
   * consignments are handed over one after the other.
   */
  carry(consignment: Consignment): Promise<void>;
}

/** What gives consignments to whoever they are for. */
export interface Hearing {
  /**
   * Gives consignments, those of one origin in their order, until `signal` aborts. One that `take` rejects comes again, and
   * those after it wait.
   */
  hear(take: (consignment: Consignment) => Promise<void>, signal: AbortSignal): Promise<void>;
}
