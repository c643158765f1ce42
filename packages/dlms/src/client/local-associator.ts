import { contextCiphering } from "./aarq.ts";
import type { AssociationConfig } from "./association-config.ts";
import {
  type AssociationEffect,
  type AssociationEvent,
  type AssociationState,
  COUNTERS_PER_ASSOCIATION,
  partiesOf,
  stepAssociation,
} from "./association-machine.ts";
import type { AssociationStep, Associator, Negotiated, Protection } from "./ports.ts";
import { type FrameCounters, localProtection, NO_PROTECTION, type ReceivedCounters } from "./protection.ts";
import { SessionError } from "./session-error.ts";

/** Where an associator in this process takes its counters from. */
export interface AssociatorCounters {
  readonly frameCounters: FrameCounters;
  readonly receivedCounters: ReceivedCounters;
}

/**
 * Makes associations with keys that are in this process, by running the association machine.
 *
 * @param counters may be left out where nothing is ciphered and mechanism 5 is not used.
 */
export function localAssociator<Key>(config: AssociationConfig<Key>, counters?: AssociatorCounters): Associator {
  const { frameCounters, receivedCounters } = counters ?? NO_COUNTERS;
  let state: AssociationState<Key> = { kind: "idle", config };

  function take(event: AssociationEvent): AssociationEffect {
    const [next, effect] = stepAssociation(state, event);
    state = next;
    if (effect === undefined)
      throw new SessionError("not-associated", `nothing can be "${event.kind}" here: ${state.kind}`);
    if (effect.kind === "failed") throw effect.error;
    return effect;
  }

  function stepOf(effect: AssociationEffect): AssociationStep {
    switch (effect.kind) {
      case "send":
        return { kind: "send", apdu: effect.apdu, plain: effect.plain };
      case "established":
        return { kind: "established", negotiated: effect.negotiated, protection: establish(effect) };
      case "failed":
        throw effect.error;
      case "released":
        throw new SessionError("not-associated", "the association is over");
      default:
        return effect satisfies never;
    }
  }

  function establish({ negotiated, serverCounters }: Extract<AssociationEffect, { kind: "established" }>): Protection {
    for (const counter of serverCounters)
      if (!receivedCounters.accept(counter))
        throw new SessionError("counter-replayed", `the server's invocation counter ${counter} was used before`);
    return protectionOf(config, negotiated, { frameCounters, receivedCounters });
  }

  return {
    async start() {
      const drawn = config.ciphering === undefined ? 0 : COUNTERS_PER_ASSOCIATION;
      return stepOf(take({ kind: "associate", invocationCounter: frameCounters.take(drawn) }));
    },
    async next(received) {
      return stepOf(take({ kind: "received", apdu: received }));
    },
    async release() {
      const drawn = contextCiphering(config) === undefined ? 0 : 1;
      const effect = take({ kind: "release", invocationCounter: frameCounters.take(drawn) });
      if (effect.kind !== "send") throw new SessionError("not-associated", "the association is over");
      return effect.apdu;
    },
    async released(received) {
      take({ kind: "received", apdu: received });
    },
  };
}

/**
 * An association that needs no AARQ, since both sides know it beforehand.
 *
 * @param negotiated what both sides know; with ciphering it names the server's system title.
 */
export function preEstablishedAssociator<Key>(
  config: AssociationConfig<Key>,
  negotiated: Negotiated,
  counters?: AssociatorCounters,
): Associator {
  const over = () => new SessionError("not-associated", "a pre-established association is not negotiated or released");
  return {
    start: async () => ({
      kind: "established",
      negotiated,
      protection: protectionOf(config, negotiated, counters ?? NO_COUNTERS),
    }),
    next: () => Promise.reject(over()),
    release: () => Promise.reject(over()),
    released: () => Promise.reject(over()),
  };
}

function protectionOf<Key>(
  config: AssociationConfig<Key>,
  negotiated: Negotiated,
  { frameCounters, receivedCounters }: AssociatorCounters,
): Protection {
  if (contextCiphering(config) === undefined) return NO_PROTECTION;
  const parties = partiesOf(config, negotiated);
  if (parties === undefined) throw new SessionError("server-not-authentic", "the server's system title is not known");
  return localProtection(parties, frameCounters, receivedCounters);
}

const NO_COUNTERS: AssociatorCounters = {
  frameCounters: {
    take(count) {
      if (count > 0) throw new SessionError("not-associated", "a ciphered association needs frame counters");
      return 0;
    },
  },
  receivedCounters: { accept: () => true },
};
