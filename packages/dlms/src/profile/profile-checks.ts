import { MOST_INFORMATION_BYTES } from "../hdlc/parameters.ts";
import { parseObis } from "../obis/code.ts";
import {
  type Check,
  either,
  fail,
  flag,
  identifier,
  listOf,
  maker,
  objectOf,
  oneOf,
  text,
  wholeNumber,
} from "./json-check.ts";
import type { MeterFacts } from "./meter-profile.ts";

const SAP = wholeNumber(1, 0x7f);
const AUTHENTICATIONS: ReadonlySet<string> = new Set([
  "none",
  "lls",
  "hls-proprietary",
  "hls-md5",
  "hls-sha1",
  "hls-gmac",
  "hls-sha256",
  "hls-ecdsa",
]);
const LINKS: ReadonlySet<string> = new Set(["wrapper-tcp", "wrapper-udp", "hdlc", "hdlc-tcp", "mode-e", "m-bus"]);

const obisCode: Check = (value, path) => {
  if (typeof value !== "string" || parseObis(value) === undefined) fail(path, "must be an OBIS code such as 1-0:1.8.0");
};

const client = objectOf(
  { name: identifier, sap: SAP, authentication: oneOf(AUTHENTICATIONS) },
  {
    preEstablished: flag,
    securitySetup: obisCode,
    counter: obisCode,
    counterReader: identifier,
    note: text,
  },
);

const suite: Check = (value, path) => wholeNumber(0, 2)(value, path);
const bytes = wholeNumber(1, 65_535);

const transport = objectOf(
  { kinds: listOf(oneOf(LINKS)) },
  {
    port: wholeNumber(1, 65_535),
    maxPduBytes: wholeNumber(16, 65_535),
    responseTimeoutSeconds: wholeNumber(1, 3600),
    pauseSeconds: wholeNumber(0, 3600),
    connections: wholeNumber(1, 255),
  },
);
const informationBytes = wholeNumber(1, MOST_INFORMATION_BYTES);
const windowFrames = wholeNumber(1, 7);
const addressBytes: Check = (value, path) => {
  if (value !== 1 && value !== 2 && value !== 4) fail(path, "must be 1, 2 or 4");
};
const hdlc = objectOf(
  {},
  {
    addressBytes,
    physicalDevice: wholeNumber(0, 0x3fff),
    maxTransmitBytes: informationBytes,
    maxReceiveBytes: informationBytes,
    windowTransmit: windowFrames,
    windowReceive: windowFrames,
    firstSegmentBytes: informationBytes,
    furtherSegmentBytes: informationBytes,
    answersWithCommandLlc: flag,
    omitsLlc: flag,
    neverAcknowledges: flag,
    assumesModeE: flag,
  },
);
const services = objectOf(
  {},
  {
    lists: either((value) => typeof value === "boolean", flag, wholeNumber(1, 255)),
    selectiveAccess: listOf(oneOf(new Set(["range", "entry"]))),
    generalBlockTransfer: flag,
    access: flag,
    shortNames: flag,
  },
);
const ciphering = objectOf(
  { suites: listOf(suite), header: oneOf(new Set(["service-specific", "general"])) },
  { dedicatedKey: flag, keysPerTransfer: wholeNumber(1, 4) },
);
const security = objectOf(
  {},
  {
    edition: oneOf(new Set(["standard", "gbcs"])),
    algorithmIdPrefix: oneOf(new Set(["6085740508", "6085740608"])),
    ephemeralSignature: oneOf(new Set(["public-key", "key-id-and-public-key"])),
    authenticatedHeader: flag,
    signedContentLength: flag,
    agreedKeyCounter: oneOf(new Set(["carried", "zero"])),
    dataProtection: oneOf(new Set(["standard", "gbcs"])),
    challengeBytes: objectOf({ least: bytes, leastSigned: bytes, most: bytes }),
    refuseApduChallenges: flag,
  },
);
const quirks = objectOf(
  {},
  {
    octetsAfterValue: flag,
    wrongReleaseLengths: flag,
    firstCounterZero: flag,
    missingAuthenticationRequired: flag,
    plainExceptions: flag,
    pushWithoutTag: flag,
    binaryMbusIdentification: flag,
  },
);
const objects: Check = (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(path, "must be an object");
  for (const [key, code] of Object.entries(value)) obisCode(code, `${path}.${key}`);
};

const checkShape = objectOf(
  { id: identifier, title: text },
  {
    extends: identifier,
    makers: listOf(maker),
    clients: listOf(client),
    serverSap: wholeNumber(1, 0x3fff),
    transport,
    hdlc,
    services,
    ciphering,
    security,
    quirks,
    objects,
    layouts: listOf(identifier),
    note: text,
  },
);

/** Checks one profile: its fields, and that its clients do not contradict each other. */
export const meterFacts: Check = (value, path) => {
  checkShape(value, path);
  const { clients = [] } = value as MeterFacts;
  const joint = path === "" ? "" : ".";
  for (const [at, one] of clients.entries()) {
    const where = `${path}${joint}clients[${at}]`;
    if (clients.some((other, index) => index < at && (other.sap === one.sap || other.name === one.name)))
      fail(where, "has the name or the service access point of another client");
    if (one.authentication === "hls-gmac" && one.securitySetup === undefined)
      fail(`${where}.securitySetup`, "is missing: hls-gmac needs a security setup");
  }
};
