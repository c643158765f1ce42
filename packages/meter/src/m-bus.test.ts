import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { test } from "node:test";
import { hangGasMeter, type MBusOwner, mBusChannel, readsGas } from "./m-bus.ts";
import type { MeterSettings } from "./nvm/settings.ts";

/** A meter that keeps what it is given, as its memory does. */
function owner(): MBusOwner {
  let settings: MeterSettings = {};
  return {
    record: { seed: 7 },
    get settings() {
      return settings;
    },
    changeSettings: (changed) => {
      settings = changed;
    },
  };
}

function wrapped(defaultKey: Uint8Array, key: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-128-cbc", defaultKey, new Uint8Array(16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(key), cipher.final()]);
}

test("a channel without a device takes no key, whatever it is wrapped under", () => {
  const meter = owner();
  const channel = mBusChannel(meter);
  const [defaultKey, key] = [randomBytes(16), randomBytes(16)];
  hangGasMeter(meter, defaultKey);
  assert.equal(channel.transferKey(wrapped(defaultKey, key)), false);
  assert.equal(channel.setKey(key), false);
  assert.deepEqual([channel.keyStatus, meter.settings.mBus?.deviceKey], ["noEncryptionKey", undefined]);
});

test("a gas meter is read in clear until it is given a key, and then where its meter has the same, also after a power cut", () => {
  const meter = owner();
  const channel = mBusChannel(meter);
  const [defaultKey, key] = [randomBytes(16), randomBytes(16)];
  assert.equal(channel.install(1), true);
  assert.equal(channel.transferKey(wrapped(defaultKey, key)), false, "this one was made without a default key");
  hangGasMeter(meter, defaultKey);
  assert.equal(channel.capture(), true);
  assert.equal(channel.transferKey(wrapped(defaultKey, key)), true);
  assert.deepEqual([channel.capture(), readsGas(meter.settings)], [false, false]);
  assert.equal(channel.setKey(key), true);
  assert.deepEqual([channel.capture(), channel.keyStatus], [true, "encryptionKeyInUse"]);
  meter.changeSettings({ ...meter.settings, mBus: { ...meter.settings.mBus, primaryAddress: 1, capturePeriod: 60 } });
  const again = mBusChannel(meter);
  assert.deepEqual([again.capture(), again.keyStatus, again.settings.capturePeriod], [true, "encryptionKeyInUse", 60]);
});

test("a key that is wrapped under another default than the device's closes it, and one under its own opens it again", () => {
  const meter = owner();
  const channel = mBusChannel(meter);
  const [defaultKey, key] = [randomBytes(16), randomBytes(16)];
  hangGasMeter(meter, defaultKey);
  channel.install(1);
  channel.transferKey(wrapped(randomBytes(16), key));
  channel.setKey(key);
  assert.equal(channel.capture(), false);
  channel.transferKey(wrapped(defaultKey, key));
  assert.equal(channel.capture(), true);
  hangGasMeter(meter, randomBytes(16));
  assert.equal(channel.capture(), true, "the next one sends in clear");
});
