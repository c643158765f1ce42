import assert from "node:assert/strict";
import { test } from "node:test";
import { type Failure, failureOf, HsmError, hsmErrorCode } from "./errors.ts";

/** Return values by their names in PKCS#11 2.40 (pkcs11t.h), and what the platform does next. */
const SORTED: readonly (readonly [name: string, value: number, failure: Failure])[] = [
  ["CKR_SESSION_HANDLE_INVALID", 0xb3, "session"],
  ["CKR_SESSION_CLOSED", 0xb0, "session"],
  ["CKR_OBJECT_HANDLE_INVALID", 0x82, "session"],
  ["CKR_KEY_HANDLE_INVALID", 0x60, "session"],
  ["CKR_OPERATION_ACTIVE", 0x90, "session"],
  ["CKR_OPERATION_NOT_INITIALIZED", 0x91, "session"],
  ["CKR_DEVICE_ERROR", 0x30, "transient"],
  ["CKR_DEVICE_MEMORY", 0x31, "transient"],
  ["CKR_GENERAL_ERROR", 0x05, "transient"],
  ["CKR_FUNCTION_FAILED", 0x06, "transient"],
  ["CKR_SESSION_COUNT", 0xb1, "transient"],
  ["CKR_TOKEN_NOT_PRESENT", 0xe0, "token"],
  ["CKR_TOKEN_NOT_RECOGNIZED", 0xe1, "token"],
  ["CKR_DEVICE_REMOVED", 0x32, "token"],
  ["CKR_USER_NOT_LOGGED_IN", 0x101, "token"],
  ["CKR_CRYPTOKI_NOT_INITIALIZED", 0x190, "token"],
  ["CKR_PIN_INCORRECT", 0xa0, "pin"],
  ["CKR_PIN_EXPIRED", 0xa3, "pin"],
  ["CKR_PIN_LOCKED", 0xa4, "pin"],
  ["CKR_MECHANISM_INVALID", 0x70, "permanent"],
  ["CKR_ATTRIBUTE_SENSITIVE", 0x11, "permanent"],
  ["CKR_KEY_UNEXTRACTABLE", 0x6a, "permanent"],
];

test("what a token returns is sorted by what to do next, and what nobody has named is permanent", () => {
  for (const [name, code, failure] of SORTED) assert.equal(failureOf({ code }), failure, name);
  assert.equal(failureOf({ code: 0x7fff_ffff }), "permanent");
  assert.equal(failureOf(new Error("CKR_DEVICE_ERROR:48")), "transient", "C_CreateObject says it in its message alone");
});

test("what is no return value of a token is none of its failures, and an unknown code is a failure", () => {
  assert.equal(failureOf(new HsmError("hsm-key-wrong", "another key")), undefined);
  assert.equal(failureOf(new TypeError("a mistake of ours")), undefined);
  assert.equal(hsmErrorCode("hsm-timeout"), "hsm-timeout");
  assert.equal(hsmErrorCode("anything"), "hsm-failed");
});
