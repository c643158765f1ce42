import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, fromHex } from "../bytes.ts";
import { obis, parseObis } from "../obis/code.ts";
import { type Capture, captureBytes, readCaptures } from "./capture-set.test.ts";
import { type DecodedTelegrams, decodeTelegrams } from "./decode.ts";
import { TelegramDecoder, type TelegramOptions, type TelegramOutcome } from "./decoder.ts";
import { keysForAll } from "./keys.ts";
import type { Reading } from "./reading.ts";

const captures = readCaptures();
const named = (name: string): Capture => {
  const found = captures.find((capture) => capture.name === name);
  assert.ok(found !== undefined, `no capture ${name}`);
  return found;
};
const options = { skip: captures.length === 0 };

/** Tags that were published together with an authentication key that does not belong to them. */
const FOREIGN_KEY = "at-steiermark-sagemcom-t210dr-p1-a";

function optionsFor(capture: Capture): TelegramOptions {
  const { guek, gak } = capture.keys;
  if (guek === null) return {};
  const authenticationKey = gak === null || capture.name === FOREIGN_KEY ? undefined : fromHex(gak);
  const encryptionKey = fromHex(guek);
  return {
    keys: keysForAll(authenticationKey === undefined ? { encryptionKey } : { encryptionKey, authenticationKey }),
  };
}

const decodeCapture = (capture: Capture) => decodeTelegrams(captureBytes(capture), optionsFor(capture));

function sameObis(expected: string, found: string): boolean {
  const code = expected.replace(" (assumed)", "");
  const parsed = parseObis(code);
  return parsed === undefined ? code === found : JSON.stringify(parsed) === JSON.stringify(parseObis(found));
}

function assertReadings(capture: Capture, { telegrams }: DecodedTelegrams): void {
  const readings: Reading[] = telegrams.flatMap((telegram) => [...telegram.readings]);
  let from = 0;
  for (const expected of capture.expected) {
    if (expected.obis === undefined) continue;
    const at = readings.findIndex((reading, index) => index >= from && sameObis(expected.obis ?? "", reading.obis));
    const found = readings[at];
    assert.ok(found !== undefined, `${expected.obis} is missing behind reading ${from}`);
    assert.deepEqual([found.value, found.unit], [expected.value, expected.unit], expected.obis);
    from = at + 1;
  }
}

function collect(capture: Capture, chunk: number): TelegramOutcome[] {
  const decoder = new TelegramDecoder(optionsFor(capture));
  const bytes = captureBytes(capture);
  const outcomes: TelegramOutcome[] = [];
  for (let at = 0; at < bytes.length; at += chunk) outcomes.push(...decoder.push(bytes.subarray(at, at + chunk)));
  return [...outcomes, ...decoder.end()];
}

describe("every capture decodes to its readings", options, () => {
  for (const capture of captures.filter(({ kind }) => /push|p1-text/.test(kind)))
    test(capture.name, () => {
      const decoded = decodeCapture(capture);
      assert.deepEqual(decoded.refusals, []);
      assertReadings(capture, decoded);
      for (const telegram of decoded.telegrams) {
        const { security, meter } = telegram;
        if (capture.systemTitle !== null) assert.equal(meter.systemTitle, capture.systemTitle);
        if (capture.securityControl !== undefined) assert.equal(security.securityControl, capture.securityControl);
        if (capture.invocationCounter !== undefined)
          assert.equal(security.invocationCounter, Number.parseInt(capture.invocationCounter, 16));
        const tag = capture.tag ?? "";
        if (tag === "valid") assert.equal(security.authentication, "verified");
        if (tag.startsWith("absent")) assert.equal(security.authentication, "absent");
        if (tag.startsWith("not-checkable")) assert.equal(security.authentication, "not-checked");
      }
    });

  test("the plaintext alone gives the same readings, where the maker need not be known", () => {
    // Codes without scaler, and no name of the maker in the plaintext: the numbers stay as sent.
    const needTitle = new Set(["at-steiermark-lg-e450-gbt"]);
    for (const capture of captures) {
      if (capture.plaintextApdu === null || capture.kind === "object-list" || needTitle.has(capture.name)) continue;
      const decoded = decodeTelegrams(fromHex(capture.plaintextApdu));
      assert.deepEqual(decoded.refusals, [], capture.name);
      if (capture.kind !== "plain-push") assertReadings(capture, decoded);
    }
  });

  test("octet by octet as well as at once", () => {
    for (const capture of captures) {
      const bySeven = collect(capture, 7);
      assert.deepEqual(collect(capture, 1), bySeven, capture.name);
      assert.deepEqual(collect(capture, 1 << 20), bySeven, capture.name);
    }
  });

  test("with noise before and after", () => {
    for (const capture of captures.filter(({ kind, frames }) => /push$/.test(kind) && frames[0]?.startsWith("7E"))) {
      const noise = fromHex("00ff1355aa");
      const decoded = decodeTelegrams(concatBytes(noise, captureBytes(capture), noise), optionsFor(capture));
      assert.deepEqual(decoded.refusals, [], capture.name);
      assertReadings(capture, decoded);
    }
  });

  test("behind the end of another telegram, wherever that was joined, and never mixed with it", () => {
    for (const capture of captures.filter(({ kind }) => /push|p1-text/.test(kind))) {
      if (capture.frames[0]?.startsWith("0F") === true) continue;
      const whole = captureBytes(capture);
      const genuine = new Set(decodeCapture(capture).telegrams.map((one) => JSON.stringify(one.readings)));
      for (let cut = 1; cut < whole.length; cut += 1 + Math.floor(whole.length / 23)) {
        const { telegrams } = decodeTelegrams(concatBytes(whole.subarray(cut), whole), optionsFor(capture));
        const readings = telegrams.map((one) => JSON.stringify(one.readings));
        for (const one of genuine) assert.ok(readings.includes(one), `${capture.name} joined at ${cut}`);
        for (const one of readings) assert.ok(genuine.has(one), `${capture.name} joined at ${cut}`);
      }
    }
  });

  test("with every flag between frames lost", () => {
    for (const capture of captures.filter(({ kind, frames }) => /push$/.test(kind) && frames[0]?.startsWith("7E"))) {
      const bare = concatBytes(...capture.frames.map((frame) => fromHex(frame).slice(1, -1)));
      const decoded = decodeTelegrams(bare, optionsFor(capture));
      assert.deepEqual(decoded.refusals, [], capture.name);
      assertReadings(capture, decoded);
    }
  });

  test("twice in a row, the second time as a repetition where they have a counter", () => {
    for (const capture of captures.filter(({ kind }) => /push|p1-text/.test(kind))) {
      // A bare APDU in the clear ends only where the input ends.
      if (capture.frames[0]?.startsWith("0F") === true) continue;
      const once = captureBytes(capture);
      const decoded = decodeTelegrams(concatBytes(once, once), optionsFor(capture));
      assert.deepEqual(decoded.refusals, [], capture.name);
      const count = decodeCapture(capture).telegrams.length;
      assert.equal(decoded.telegrams.length, 2 * count, capture.name);
      const repeated = decoded.telegrams.at(-1)?.warnings.some(({ code }) => code === "counter-repeated");
      assert.equal(repeated, capture.systemTitle !== null, capture.name);
    }
  });
});

describe("what must not be decoded is refused", options, () => {
  const codes: Readonly<Record<string, string>> = {
    "neg-ch-kamstrup-byte-loss": "hdlc-frame-check",
    "neg-dk-kamstrup-enc-bad-fcs": "hdlc-frame-check",
    "neg-no-kamstrup-bad-fcs": "hdlc-frame-check",
    "neg-pl-kaifa-p1-overflow": "p1-not-text",
    "neg-se-aidon-overflow": "frame-truncated",
    "neg-se-aidon-parity": "hdlc-header-check",
  };
  for (const capture of captures.filter(({ name }) => name.startsWith("neg-")))
    test(capture.name, () => {
      const { telegrams, refusals } = decodeCapture(capture);
      assert.deepEqual(telegrams, []);
      assert.equal(refusals.length, 1, JSON.stringify(refusals));
      assert.equal(refusals[0]?.code, codes[capture.name]);
      assert.match(refusals[0]?.message ?? "", / .* /);
    });

  test("a telegram whose key nobody has says whose key is needed", () => {
    const { telegrams, refusals } = decodeCapture(named("dk-kamstrup-gh517-known-plaintext-nokey"));
    assert.deepEqual(telegrams, []);
    assert.equal(refusals[0]?.code, "key-needed");
    assert.match(refusals[0]?.message ?? "", /4B414D4501C7F0F9 \(Kamstrup\)/);
  });

  test("an interrupted block transfer is given up, and the complete one after it decoded", () => {
    const { telegrams, refusals } = decodeCapture(named("ch-lg-e450-ekz-gbt-resync"));
    assert.deepEqual(
      refusals.map(({ code, offset }) => [code, offset]),
      [["block-missing", 0]],
    );
    assert.equal(telegrams.length, 1);
    assert.equal(telegrams[0]?.notification.invokeId, 0xcbc6);
    assertReadings(named("ch-lg-e450-ekz"), { telegrams, refusals: [], noise: [] });
  });
});

describe("a forged telegram", options, () => {
  const forged = () => captureBytes(named("at-wienernetze-iskra-am550-forged-1"));
  const genuine = () => captureBytes(named("at-wienernetze-iskra-am550-a"));
  const keys = () => optionsFor(named("at-wienernetze-iskra-am550-a"));

  test("alone is decoded with a warning: its clocks disagree", () => {
    const [telegram] = decodeTelegrams(forged(), keys()).telegrams;
    assert.ok(telegram?.warnings.some(({ code }) => code === "clock-disagreement"));
    assert.equal(telegram?.security.authentication, "absent");
  });

  test("is refused once its genuine sibling is known", () => {
    const { telegrams, refusals } = decodeTelegrams(concatBytes(genuine(), forged()), keys());
    assert.equal(telegrams.length, 1);
    assertReadings(named("at-wienernetze-iskra-am550-a"), { telegrams, refusals, noise: [] });
    assert.deepEqual(
      refusals.map(({ code }) => code),
      ["counter-reused"],
    );
  });

  test("is refused also when the genuine one comes after it", () => {
    const { telegrams, refusals } = decodeTelegrams(concatBytes(forged(), genuine()), keys());
    assertReadings(named("at-wienernetze-iskra-am550-a"), { telegrams, refusals, noise: [] });
    assert.equal(telegrams.length, 1);
    assert.deepEqual(
      refusals.map(({ code, offset }) => [code, offset]),
      [["counter-reused", 0]],
    );
  });
});

describe("keys that do not fit are told apart", options, () => {
  const capture = () => named("dk-radius-kamstrup-omnipower");
  const decodeWith = (encryptionKey: string, authenticationKey?: string) => {
    const auth = authenticationKey === undefined ? {} : { authenticationKey: fromHex(authenticationKey) };
    const keys = keysForAll({ encryptionKey: fromHex(encryptionKey), ...auth });
    return decodeTelegrams(captureBytes(capture()), { keys });
  };
  const code = (decoded: DecodedTelegrams) => decoded.refusals.map((refusal) => refusal.code);
  const guek = () => capture().keys.guek ?? "";
  const gak = () => capture().keys.gak ?? "";
  const other = "5AD84121D9D20B364B7A11F3C1B58270";

  test("the encryption key", () => {
    assert.deepEqual(code(decodeWith(other)), ["key-does-not-fit"]);
    assert.deepEqual(code(decodeWith(other, gak())), ["key-does-not-fit"]);
  });
  test("the authentication key", () =>
    assert.deepEqual(code(decodeWith(guek(), other)), ["authentication-key-does-not-fit"]));
  test("both, exchanged", () => assert.deepEqual(code(decodeWith(gak(), guek())), ["keys-swapped"]));
  test("without the authentication key the tag is not checked, and said so", () => {
    const [telegram] = decodeWith(guek()).telegrams;
    assert.equal(telegram?.security.authentication, "not-checked");
    assert.ok(telegram?.warnings.some((one) => one.code === "tag-not-checked"));
  });
  test("a published authentication key that does not belong to its telegram is refused", () => {
    const foreign = named(FOREIGN_KEY);
    const keys = keysForAll({
      encryptionKey: fromHex(foreign.keys.guek ?? ""),
      authenticationKey: fromHex(foreign.keys.gak ?? ""),
    });
    assert.deepEqual(code(decodeTelegrams(captureBytes(foreign), { keys })), ["authentication-key-does-not-fit"]);
  });
  test("a ciphertext that was changed on its way", () => {
    const text = capture().frames.join("");
    const apdu = fromHex(text.slice(text.indexOf("DB08"), -6));
    apdu[40] = (apdu[40] ?? 0) ^ 1;
    const keys = keysForAll({ encryptionKey: fromHex(guek()), authenticationKey: fromHex(gak()) });
    assert.deepEqual(code(decodeTelegrams(apdu, { keys })), ["authentication-key-does-not-fit"]);
  });
});

describe("what is known about keys is said", options, () => {
  const weaknesses = (name: string) =>
    decodeCapture(named(name))
      .telegrams.flatMap(({ warnings }) => warnings)
      .filter(({ code }) => code === "weak-key")
      .map(({ message }) => message);

  test("an all-zero key, defaults, text, a national key", () => {
    assert.deepEqual(weaknesses("at-lg-e450-allzero-key-gbt"), ["the encryption key is all zeros"]);
    assert.deepEqual(weaknesses("ch-lg-e570-gbt-5blocks"), ["the encryption key is a published vendor default"]);
    assert.equal(weaknesses("at-burgenland-lg-e450-gh501-1").length, 2);
    assert.match(weaknesses("lu-creos-smarty-sagemcom-p1").join(), /whole country/);
    assert.deepEqual(weaknesses("dk-radius-kamstrup-omnipower"), []);
  });
});

test("the object list of a meter is read", options, () => {
  const capture = named("objectlist-kamstrup-jdlms");
  const [telegram] = decodeCapture(capture).telegrams;
  const expected = capture.expected[0];
  assert.equal(telegram?.objects.length, expected?.count);
  const first = telegram?.objects[0];
  assert.deepEqual(
    [first?.classId, first?.version, obis(first?.obis ?? "")],
    [expected?.first?.[0], expected?.first?.[1], obis(expected?.first?.[2] ?? "")],
  );
});
