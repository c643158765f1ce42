import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { test } from "node:test";
import { nodePlatform } from "@meterkeep/dlms-node";
import fc from "fast-check";
import { toHex } from "../bytes.ts";
import { ecdsaMechanism } from "../security/hls-mechanisms.ts";
import { METER, PROVEN, securedMeter } from "../testing/secured-meter.test.ts";
import { type AssociationState, COUNTERS_PER_ASSOCIATION, stepAssociation } from "./association-machine.ts";

// The machine of an association against a real meter, over a line that loses, repeats, delays, swaps and changes what
// goes through it. The model knows which octets are genuine and new; the machine only sees octets.

type Move = { readonly kind: "associate" | "release" | "abort" | "drop" } | Receipt;
type Receipt =
  | { readonly kind: "deliver" }
  /** An APDU of the meter from before, this association's or another's. */
  | { readonly kind: "replay"; readonly which: number }
  | { readonly kind: "change"; readonly at: number; readonly bits: number };

const moves: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Move>({ kind: "deliver" }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Move>({ kind: "associate" }, { kind: "release" }, { kind: "abort" }, { kind: "drop" }),
  },
  { weight: 2, arbitrary: fc.nat(40).map((which): Move => ({ kind: "replay", which })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      at: fc.nat(200),
      bits: fc.integer({ min: 1, max: 255 }),
    }),
  },
);

for (const mechanism of ["gmac", "ecdsa"] as const)
  test(`whatever the line does, an association stands only between both ends themselves (${mechanism})`, () => {
    let established = 0;
    fc.assert(
      fc.property(fc.array(moves, { minLength: 4, maxLength: 40 }), (sequence) => {
        established += runModel(mechanism, sequence);
      }),
      { numRuns: 150 },
    );
    // Sequences are random, and so is how many of them get that far.
    assert.ok(established > 5, `${established} associations stood at all`);
  });

function runModel(mechanism: "gmac" | "ecdsa", sequence: readonly Move[]): number {
  let established = 0;
  const curves = nodePlatform.curves;
  const [ours, theirs] = [curves.generate("P-256"), curves.generate("P-256")];
  const end = (own: typeof ours, other: typeof ours) =>
    ecdsaMechanism({ curves, suite: 1, signing: own.privateKey, otherSigning: () => other.publicKey });
  const meter = securedMeter({ suite: 1, ...(mechanism === "ecdsa" ? { mechanism: end(theirs, ours) } : {}) });
  const connection = meter.server.connect(PROVEN, 1);
  const recorded: Uint8Array[] = [];
  const usedCounters = new Set<number>();
  let nextCounter = 1;
  /** What the meter said to the last request, and whether it is still on the line. */
  let answer: Uint8Array | undefined;
  let waiting: Uint8Array | undefined;
  let genuine = true;
  let state: AssociationState<KeyObject> = idle();

  function idle(): AssociationState<KeyObject> {
    const challenge = nodePlatform.random(32);
    const authentication =
      mechanism === "gmac"
        ? ({ kind: "gmac", challenge } as const)
        : ({ kind: "hls", challenge, mechanism: end(ours, theirs) } as const);
    genuine = true;
    return { kind: "idle", config: { ...meter.config, authentication } };
  }
  function counters(count: number): number {
    const first = nextCounter;
    for (let at = 0; at < count; at += 1) {
      assert.ok(!usedCounters.has(first + at));
      usedCounters.add(first + at);
    }
    nextCounter += count;
    return first;
  }
  function take(event: Parameters<typeof stepAssociation<KeyObject>>[1]): void {
    const before = state;
    const [after, effect] = stepAssociation(state, event);
    state = after;
    if (before.kind === "released" || before.kind === "failed") assert.equal(after, before, "an end is an end");
    if (effect?.kind === "send") {
      answer = meter.server.handle(connection, effect.apdu);
      waiting = answer;
      if (answer !== undefined) recorded.push(answer);
    }
    // The heart of it: everything the machine was given on the way was the meter's own answer, unchanged.
    if (after.kind === "established") {
      assert.ok(genuine, "believed what the meter did not say");
      established += before.kind === "established" ? 0 : 1;
    }
  }

  for (const move of sequence) {
    switch (move.kind) {
      case "associate":
        if (state.kind === "failed" || state.kind === "released") state = idle();
        take({ kind: "associate", invocationCounter: counters(COUNTERS_PER_ASSOCIATION) });
        break;
      case "release":
        take({ kind: "release", invocationCounter: counters(1) });
        break;
      case "abort":
        take({ kind: "abort" });
        break;
      case "drop":
        waiting = undefined;
        break;
      case "deliver":
      case "change":
      case "replay":
        receive(move);
        break;
      default:
        move satisfies never;
    }
  }

  return established;

  function receive(move: Receipt): void {
    let octets = move.kind === "replay" ? recorded[move.which % Math.max(1, recorded.length)] : waiting;
    if (octets === undefined) return;
    if (move.kind === "change") {
      octets = Uint8Array.from(octets);
      octets[move.at % octets.length]! ^= move.bits;
    }
    const accepts = state.kind === "requested" || state.kind === "proving";
    // An exception-response is nobody's proof, and may be forged by anybody: it only ever ends an association.
    if (accepts && (answer === undefined || toHex(octets) !== toHex(answer)))
      genuine = isHarmless(octets, answer) && genuine;
    waiting = undefined;
    take({ kind: "received", apdu: octets });
  }
}

/** The AARE is not authenticated as a whole: only what is sealed in it, and who it names, is proven later. */
function isHarmless(octets: Uint8Array, due: Uint8Array | undefined): boolean {
  if (due === undefined || octets.length !== due.length || octets[0] !== 0x61) return false;
  const text = toHex(octets);
  return (
    text.includes(toHex(METER)) && text.slice(text.indexOf("be2304")) === toHex(due).slice(toHex(due).indexOf("be2304"))
  );
}
