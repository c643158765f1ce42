/** What each step of a takeover says, out and back. The octets themselves only the custodian can read. */
const STEP_WORDS: Readonly<Record<string, readonly [toMeter: string, fromMeter: string]>> = {
  "factory-association": ["Associates under the factory keys", "Answers the association"],
  "identity-check": ["Asks who it is", "Names itself"],
  "transfer-working-keys": [
    "Sends new working keys, wrapped under its present master",
    "Acknowledges new working keys",
  ],
  "working-keys-association": ["Associates under the new keys", "Answers under the new keys"],
  "transfer-master": ["Sends a new master key, alone", "Acknowledges the new master key"],
  "prove-master": ["Sends a spare key wrapped under the new master", "Answers the proof of its master key"],
  "refuse-old-master": ["Tries a key wrapped under the former master, which must be refused", "Answers the old master"],
  "refuse-factory-keys": ["Tries the factory keys, which must be refused", "Answers the factory keys"],
  probe: ["Tries which keys it holds", "Answers the probe"],
  "counter-hint": ["Asks for its counter as the public client", "Tells its counter"],
  "current-keys-association": ["Associates under the keys that are to go", "Answers the association"],
  "refuse-old-keys": ["Tries the former keys, which must be refused", "Answers the former keys"],
  "raise-policy": ["Asks for its security policy, or raises it", "Answers about its security policy"],
  "find-clients": ["Asks which clients and security setups it has", "Tells of its clients and setups"],
  "change-secret": ["Gives a client a new secret", "Answers the new secret"],
  "prove-secret": ["Associates as the client with its new secret", "Answers the client"],
  "agree-master": ["Offers a key to agree on a master with, signed", "Answers with its own, signed"],
  "change-child-key": ["Gives a device at an M-Bus channel a new key, then the meter", "Says whether it was taken"],
  "refuse-old-secret": ["Tries the client's former secret, which must be refused", "Answers the former secret"],
  "enrolment-association": ["Associates under the present keys, for certificates", "Answers the association"],
  "anchor-check": ["Asks for the trust anchor it was made with", "Exports its trust anchor"],
  "certificate-list": ["Asks which certificates it holds", "Names its certificates"],
  "generate-key-pair": ["Has it make a new key pair", "Acknowledges a new key pair"],
  "certificate-request": ["Asks for a certificate request, signed with the new key", "Sends its certificate request"],
  "import-certificate": ["Gives it a certificate", "Acknowledges the certificate"],
  "compare-certificate": ["Asks for a certificate, to be compared octet for octet", "Exports the certificate"],
  "remove-certificate": ["Has it remove a certificate that is not ours", "Answers the removal"],
  "prove-signature": ["Associates by signature, with the enrolled keys", "Answers by signature"],
  "signed-request": [
    "Asks something signed, ciphered under a key agreed on for this once",
    "Answers signed, under a key agreed on",
  ],
  "local-session-log": ["Asks for its log of who spoke to it on the spot", "Tells its log"],
  release: ["Releases the association", "Confirms the release"],
};

const APDU_NAMES: Readonly<Record<number, string>> = {
  96: "AARQ",
  97: "AARE",
  98: "RLRQ",
  99: "RLRE",
  192: "get-request",
  196: "get-response",
  195: "action-request",
  199: "action-response",
  200: "glo-get-request",
  204: "glo-get-response",
  203: "glo-action-request",
  207: "glo-action-response",
  216: "exception-response",
  219: "general-glo-ciphering",
  220: "general-ded-ciphering",
};

/** The name of an APDU by its tag. */
export function apduName(octets: Uint8Array): string {
  const tag = octets[0] ?? 0;
  return APDU_NAMES[tag] ?? `APDU 0x${tag.toString(16).padStart(2, "0")}`;
}

/** One line about an APDU of a takeover. */
export function contactSummary(step: string, toMeter: boolean, octets: Uint8Array): string {
  const words = STEP_WORDS[step]?.[toMeter ? 0 : 1] ?? (toMeter ? "Asks" : "Answers");
  return `${words} (${apduName(octets)}, ${octets.length} octets)`;
}
