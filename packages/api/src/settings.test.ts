import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSettings } from "./settings.ts";

const SETTINGS = {
  name: { kind: "text", description: "A name." },
  port: { kind: "integer", unit: "port", minimum: 0, maximum: 9, description: "A port." },
  mode: { kind: "choice", of: ["a", "b"], description: "A mode." },
  fast: { kind: "flag", description: "Fast.", optional: true },
  peers: {
    kind: "list",
    description: "Peers.",
    of: { kind: "record", fields: { path: { kind: "path", description: "A path." } } },
  },
} as const;

const good = { name: "n", port: 3, mode: "a", peers: [{ path: "/p" }] };

test("data that fits is given its type", () => {
  const { port, mode, fast, peers } = parseSettings(SETTINGS, { ...good, fast: true });
  const typed: [number, "a" | "b", boolean | undefined, string | undefined] = [port, mode, fast, peers[0]?.path];
  assert.deepEqual(typed, [3, "a", true, "/p"]);
});

test("what does not fit is refused with its path", () => {
  const refused = (change: object, code: string, message: string): void =>
    assert.throws(() => parseSettings(SETTINGS, { ...good, ...change }), { code, message });
  refused({ name: "" }, "setting-invalid", "config.name: must be a text that is not empty");
  refused({ port: 10 }, "setting-invalid", "config.port: must be a number from 0 to 9 (port)");
  refused({ port: 1.5 }, "setting-invalid", "config.port: must be a whole number");
  refused({ mode: "c" }, "setting-invalid", "config.mode: must be one of a, b");
  refused({ fast: 1 }, "setting-invalid", "config.fast: must be true or false");
  refused({ peers: {} }, "setting-invalid", "config.peers: must be a list");
  refused({ peers: [good.peers[0], {}] }, "setting-missing", "config.peers[1].path: is missing");
  refused({ extra: 1 }, "setting-unknown", "config.extra: is not a setting");
  assert.throws(() => parseSettings(SETTINGS, null), { code: "setting-invalid", message: "config: must be an object" });
});

test("names of Object's own are no settings", () => {
  assert.throws(() => parseSettings(SETTINGS, JSON.parse('{"__proto__":{"name":"n"}}')), { code: "setting-unknown" });
});
