import type { Check } from "./check.ts";
import { challengeQuality } from "./checks/challenge-quality.ts";
import { clockWithoutRights } from "./checks/clock-without-rights.ts";
import { contextDowngrade } from "./checks/context-downgrade.ts";
import { dedicatedKey } from "./checks/dedicated-key.ts";
import { echoedChallenge } from "./checks/echoed-challenge.ts";
import { errorOracle } from "./checks/error-oracle.ts";
import { forgedCounter } from "./checks/forged-counter.ts";
import { lockOut } from "./checks/lock-out.ts";
import { loweredCounter } from "./checks/lowered-counter.ts";
import { malformedInput } from "./checks/malformed-input.ts";
import { mechanismDowngrade } from "./checks/mechanism-downgrade.ts";
import { plaintextRequest } from "./checks/plaintext-request.ts";
import { policyDowngrade } from "./checks/policy-downgrade.ts";
import { publicRights } from "./checks/public-rights.ts";
import { publicWrites } from "./checks/public-writes.ts";
import { readableSecrets } from "./checks/readable-secrets.ts";
import { reflectedChallenge } from "./checks/reflected-challenge.ts";
import { replayedAssociation } from "./checks/replayed-association.ts";
import { replayedRequest } from "./checks/replayed-request.ts";
import { requestBeforeProof } from "./checks/request-before-proof.ts";
import { responseProtection } from "./checks/response-protection.ts";
import { taglessPush } from "./checks/tagless-push.ts";
import { unassociatedRequest } from "./checks/unassociated-request.ts";
import { weakKeys } from "./checks/weak-keys.ts";
import { wrongProof } from "./checks/wrong-proof.ts";

/**
 * All checks, in the order in which they run: first what offends no meter, then what it may take for guessing, and last
 * what may make it lock.
 */
export const CHECKS: readonly Check[] = [
  replayedRequest,
  loweredCounter,
  dedicatedKey,
  policyDowngrade,
  plaintextRequest,
  responseProtection,
  publicRights,
  publicWrites,
  clockWithoutRights,
  readableSecrets,
  unassociatedRequest,
  taglessPush,
  challengeQuality,
  echoedChallenge,
  requestBeforeProof,
  replayedAssociation,
  contextDowngrade,
  forgedCounter,
  malformedInput,
  mechanismDowngrade,
  wrongProof,
  reflectedChallenge,
  weakKeys,
  errorOracle,
  lockOut,
];
