import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../bytes.ts";
import type { SoftwareKey } from "../security/software-aes.ts";
import { systemTitle } from "../system-title.ts";
import {
  CLIENT_TITLE,
  CLIENTS,
  managementConfig,
  NONE,
  SERVER_TITLE,
  type TestMeter,
  testKey,
  testKeys,
  testMeter,
} from "../testing/meter.test.ts";
import type { AssociationConfig } from "./association-config.ts";
import {
  type AssociationEffect,
  type AssociationEvent,
  type AssociationState,
  stepAssociation,
} from "./association-machine.ts";

type State = AssociationState<SoftwareKey>;

/** What may happen next; `genuine` is the server's own answer to what was sent last. */
const commands = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "genuine" } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: "associate" } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "release" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "abort" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "earlier" } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("noise" as const), octets: fc.uint8Array({ maxLength: 90 }) }),
  },
);
type Command = typeof commands extends fc.Arbitrary<infer T> ? T : never;

/** What the machine should be in, told without its code: how far the genuine exchange has come. */
type Expected = "idle" | "requested" | "proving" | "established" | "releasing" | "released" | "failed";

const NEXT: Partial<Record<Expected, Expected>> = {
  requested: "proving",
  proving: "established",
  releasing: "released",
};

test("whatever arrives, in whatever order: established only by the genuine exchange, and never sent on after the end", () => {
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 12 }), (script) => {
      const policy = { authenticatedRequest: true, authenticatedResponse: true, encryptedResponse: true };
      const meter = testMeter({ policy });
      runScript(meter, script);
    }),
    { numRuns: 300 },
  );
});

function runScript(meter: TestMeter, script: readonly Command[]): void {
  const connection = meter.server.connect(CLIENTS.management, 1);
  let state: State = { kind: "idle", config: managementConfig() };
  let expected: Expected = "idle";
  let counter = 1;
  let altered = false;
  let answer: Uint8Array | undefined;
  let earlier: Uint8Array | undefined;
  for (const command of script) {
    const event = eventOf(command, answer, earlier, counter);
    if (event === undefined) continue;
    const before: Expected = expected;
    const [next, ...effects]: readonly [State, ...AssociationEffect[]] = stepAssociation(state, event);
    assert.deepEqual(stepAssociation(state, event), [next, ...effects], "the same step twice is the same step");
    expected = expectedAfter(before, command);
    // A change may fall on octets that nothing protects. It may then pass here, but not end in an association unless
    // it changed nothing that counts: the proof that follows fails.
    if (command.kind === "flip" && next.kind === NEXT[before]) {
      expected = next.kind;
      altered = true;
    }
    if (altered && command.kind === "genuine" && next.kind === "failed") expected = "failed";
    assert.equal(next.kind, expected, `${command.kind} in ${before}`);
    assertEffects(effects, next);
    if (event.kind === "associate" || event.kind === "release") counter += 3;
    state = next;
    for (const effect of effects)
      if (effect.kind === "send") {
        earlier = answer;
        answer = meter.server.handle(connection, effect.apdu.slice());
      }
  }
}

function eventOf(
  command: Command,
  answer: Uint8Array | undefined,
  earlier: Uint8Array | undefined,
  invocationCounter: number,
): AssociationEvent | undefined {
  switch (command.kind) {
    case "associate":
    case "release":
      return { kind: command.kind, invocationCounter };
    case "abort":
      return command;
    case "genuine":
      return answer && { kind: "received", apdu: answer };
    case "earlier":
      return earlier && { kind: "received", apdu: earlier };
    case "noise":
      return { kind: "received", apdu: command.octets };
    case "cut":
      return answer && { kind: "received", apdu: answer.subarray(0, command.at % answer.length) };
    case "flip": {
      if (answer === undefined) return undefined;
      const apdu = answer.slice();
      const at = command.at % apdu.length;
      apdu[at] = (apdu[at] as number) ^ (1 << command.bit);
      return { kind: "received", apdu };
    }
  }
}

function expectedAfter(before: Expected, { kind }: Command): Expected {
  if (before === "released" || before === "failed") return before;
  if (kind === "abort") return "released";
  if (kind === "associate") return before === "idle" ? "requested" : before;
  if (kind === "release") return before === "established" ? "releasing" : before;
  const waiting = NEXT[before];
  if (waiting === undefined) return before;
  return kind === "genuine" ? waiting : "failed";
}

function assertEffects(effects: readonly AssociationEffect[], state: State): void {
  assert.ok(effects.length <= 1);
  const [effect] = effects;
  if (effect === undefined) return;
  const allowed: Readonly<Record<AssociationEffect["kind"], readonly State["kind"][]>> = {
    send: ["requested", "proving", "releasing"],
    established: ["established"],
    released: ["released"],
    failed: ["failed"],
  };
  assert.ok(allowed[effect.kind].includes(state.kind), `${effect.kind} in ${state.kind}`);
}

/** The first two steps of an association, its AARE changed on the way. */
function failureAfter(
  config: AssociationConfig<SoftwareKey>,
  change: (aare: string) => string,
  meter = testMeter(),
  clientSap: number = CLIENTS.management,
) {
  const [requested, sent] = stepAssociation({ kind: "idle", config }, { kind: "associate", invocationCounter: 1 });
  assert.ok(sent?.kind === "send");
  const aare = meter.server.handle(meter.server.connect(clientSap, 1), sent.apdu);
  assert.ok(aare !== undefined);
  const [state] = stepAssociation(requested, { kind: "received", apdu: fromHex(change(toHex(aare))) });
  return state.kind === "failed" ? { code: state.error.code, message: state.error.message } : { code: state.kind };
}

test("a server that skips the proof, reflects the challenge or another meter's title is not believed", () => {
  const config = managementConfig();
  const skipped = failureAfter({ ...NONE, systemTitle: CLIENT_TITLE }, (aare) => aare, testMeter(), CLIENTS.public);
  assert.equal(skipped.code, "established");
  const downgraded = failureAfter(config, (aare) => aare.replace("60857405080205", "60857405080201"));
  assert.equal(downgraded.code, "server-not-authentic");
  const reflected = failureAfter(config, (aare) =>
    aare.replace(/aa128010[0-9a-f]{32}/, `aa128010${toHex(testKey(0xee, 16))}`),
  );
  assert.deepEqual(
    [reflected.code, /our own, sent back/.test(reflected.message ?? "")],
    ["server-not-authentic", true],
  );
  const named = { ...config, serverSystemTitle: systemTitle(fromHex("4d4b4d0000000002")) };
  assert.equal(failureAfter(named, (aare) => aare).code, "server-not-authentic");
  const ours = failureAfter(config, (aare) => aare.replace(toHex(SERVER_TITLE), toHex(CLIENT_TITLE)));
  assert.equal(ours.code, "server-not-authentic");
});

test("a server counter below the one known is a replay", () => {
  const config = { ...managementConfig(), lowestServerCounter: 1 };
  assert.equal(failureAfter(config, (aare) => aare).code, "counter-replayed");
});

test("a meter with other keys is not believed, and does not believe us", () => {
  const meter = testMeter({ keys: testKeys(0, 9) });
  assert.equal(failureAfter(managementConfig(), (aare) => aare, meter).code, "exception-response");
});

test("what an association lacks is said before anything is sent", () => {
  const { ciphering, ...rest } = managementConfig();
  const start = (config: AssociationConfig<SoftwareKey>) =>
    stepAssociation({ kind: "idle", config }, { kind: "associate", invocationCounter: 1 })[0];
  const noKeys = start(rest);
  assert.equal(noKeys.kind === "failed" && noKeys.error.code, "key-missing");
  assert.ok(ciphering !== undefined);
  const noTitle = start({ authentication: rest.authentication, ciphering });
  assert.equal(noTitle.kind === "failed" && noTitle.error.code, "invalid-value");
  const noDedicated = start({ ...rest, ciphering: { ...ciphering, form: "dedicated" } });
  assert.equal(noDedicated.kind === "failed" && noDedicated.error.code, "key-missing");
});
