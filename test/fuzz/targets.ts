import { createSecretKey, type KeyObject } from "node:crypto";
import {
  acseApdu,
  apdu as anyApdu,
  apduLines,
  BlockTransferMachine,
  type Codec,
  CosemServer,
  DatagramClient,
  DatagramServer,
  DlmsError,
  data,
  dataOctets,
  decode,
  decodeTelegrams,
  deviceModel,
  encode,
  fromHex,
  fullAccess,
  HdlcClient,
  HdlcServer,
  INTERFACE_CLASSES,
  keysForAll,
  type LineError,
  LinkScanner,
  MbusClient,
  MbusServer,
  ModeEClient,
  ModeEServer,
  mount,
  openPush,
  ProfileDecoder,
  parseGeneralCiphering,
  parseGeneralSigning,
  parseProtectedApdu,
  Register,
  readGateway,
  serveProfile,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeKeyWrap, TransportError, WrapperFrames } from "@meterkeep/dlms-node";

/** One parser under test. `run` may end well, or with an error of the package; everything else is a finding. */
export interface Target {
  readonly name: string;
  readonly seeds: "apdus" | "frames" | "values";
  run(octets: Uint8Array): void;
}

/** What a decoder gives may have so many parts for an octet of input, and some more. */
const PARTS_PER_OCTET = 16;
const SPARE_PARTS = 64;
const KEY = createSecretKey(fromHex("000102030405060708090a0b0c0d0e0f"));
const AUTHENTICATION_KEY = fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
const KEYS = { encryption: KEY, authentication: AUTHENTICATION_KEY };

/** A finding: something that must not happen whatever comes in. */
export class Finding extends Error {}

export const TARGETS: readonly Target[] = [
  decoder("data", data, "values"),
  decoder("apdu", anyApdu),
  decoder("acse apdu", acseApdu),
  {
    name: "data passed over",
    seeds: "values",
    run: (octets) => void decode(dataOctets, octets, { trailing: "ignore" }),
  },
  { name: "profile in pieces", seeds: "values", run: profile },
  { name: "every interface class", seeds: "values", run: interfaceClasses },
  { name: "protected apdu", seeds: "apdus", run: (octets) => void parseProtectedApdu(octets) },
  { name: "general-ciphering", seeds: "apdus", run: (octets) => void parseGeneralCiphering(octets) },
  { name: "general-signing", seeds: "apdus", run: (octets) => void parseGeneralSigning(octets) },
  {
    name: "push",
    seeds: "apdus",
    run: (octets) => void openPush(octets, { ciphers: nodeCiphers, keysOf: () => KEYS }),
  },
  { name: "apdu in lines", seeds: "apdus", run: (octets) => void apduLines(octets) },
  { name: "gateway", seeds: "apdus", run: (octets) => void readGateway(octets) },
  { name: "block transfer", seeds: "apdus", run: blockTransfer },
  { name: "server", seeds: "apdus", run: server },
  { name: "links", seeds: "frames", run: links },
  { name: "telegrams", seeds: "frames", run: telegrams },
  { name: "wrapper", seeds: "frames", run: (octets) => void new WrapperFrames().push(octets) },
  { name: "hdlc stations", seeds: "frames", run: stations },
  { name: "m-bus stations", seeds: "frames", run: bus },
  { name: "mode e opening", seeds: "frames", run: openings },
  { name: "datagrams", seeds: "frames", run: datagrams },
];

/** Runs a target and says whether the input was taken or refused. @throws Finding */
export function runTarget(target: Target, octets: Uint8Array): "taken" | "refused" {
  try {
    target.run(octets);
    return "taken";
  } catch (error) {
    if (error instanceof Finding) throw error;
    if (!(error instanceof DlmsError || error instanceof TransportError))
      throw new Finding(`${target.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    const { offset } = error as Partial<{ offset: number }>;
    if (offset !== undefined && !(offset >= 0 && offset <= octets.length))
      throw new Finding(`${target.name}: offset ${offset} of ${octets.length}`);
    return "refused";
  }
}

function decoder(name: string, codec: Codec<unknown>, seeds: Target["seeds"] = "apdus"): Target {
  return {
    name,
    seeds,
    run(octets) {
      const value = decode(codec, octets);
      const parts = partsOf(value);
      if (parts > PARTS_PER_OCTET * octets.length + SPARE_PARTS)
        throw new Finding(`${name}: ${parts} parts of ${octets.length} octets`);
      encode(codec, value);
    },
  };
}

function partsOf(value: unknown): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return 1;
  let parts = 1;
  for (const part of Object.values(value)) parts += partsOf(part);
  return parts;
}

function profile(octets: Uint8Array): void {
  const pieces = new ProfileDecoder((row) => {
    for (let column = 0; column < row.columns; column += 1) {
      row.number(column);
      row.instant(column);
      row.value(column);
    }
  });
  const middle = octets.length >> 1;
  pieces.push(octets.subarray(0, middle));
  pieces.push(octets.subarray(middle));
  pieces.end();
}

let turn = 0;

/** One attribute of one class after the other: each input meets another codec. */
function interfaceClasses(octets: Uint8Array): void {
  turn += 1;
  const { attributes } = INTERFACE_CLASSES[turn % INTERFACE_CLASSES.length] as (typeof INTERFACE_CLASSES)[number];
  const all = Object.values(attributes);
  const { codec } = all[turn % all.length] as (typeof all)[number];
  decode(codec as Codec<unknown>, octets);
}

function blockTransfer(octets: Uint8Array): void {
  for (const role of ["client", "server"] as const) {
    const machine = new BlockTransferMachine({ role, blockBytes: 32, windowBlocks: 3, maxApduBytes: 500 });
    if (role === "client") machine.start(octets.subarray(0, 100));
    const failures: LineError[] = [];
    for (let at = 0; at < 3; at += 1)
      for (const step of machine.take(octets)) if (step.kind === "failed") failures.push(step.error);
    if (failures.length > 1) throw new Finding("block transfer: it fails more than once");
  }
}

const MODEL = deviceModel<undefined>({
  objects: [
    mount(
      "1.0.1.8.0.255",
      Register.serve<undefined>({ get: { value: () => ({ type: "double-long-unsigned", value: 7 }) } }),
      0x100,
    ),
    mount(
      "1.0.99.1.0.255",
      serveProfile<undefined>({
        columns: [{ classId: 8, logicalName: "0.0.1.0.0.255", attributeIndex: 2, dataIndex: 0 }],
        capturePeriod: 900,
        profileEntries: 10,
        deviation: 0,
        rows: () => ({ length: 10, instant: (row) => row, writeCell: (writer) => writer.unsigned8(0) }),
      }),
    ),
  ],
  associations: [
    { name: "logical", clientSap: 16, authentication: { kind: "none" }, preEstablished: true, access: fullAccess },
    { name: "public", clientSap: 17, authentication: { kind: "none" }, access: fullAccess },
    {
      name: "short",
      clientSap: 18,
      authentication: { kind: "none" },
      preEstablished: true,
      shortNameVersion: 2,
      access: fullAccess,
    },
  ],
});
const METER = new CosemServer<KeyObject, undefined>(MODEL, {
  state: undefined,
  ciphers: nodeCiphers,
  keyWrap: nodeKeyWrap,
  importKey: (octets) => createSecretKey(octets),
  random: (count) => new Uint8Array(count).fill(9),
  securitySetup: () => undefined,
  checkPassword: () => false,
  setPassword: () => false,
});

function server(octets: Uint8Array): void {
  for (const clientSap of [16, 17, 18]) {
    const connection = METER.connect(clientSap, 1);
    const answer = METER.handle(connection, octets);
    if (answer !== undefined && (answer.length === 0 || answer.length > 5000))
      throw new Finding(`server: an answer of ${answer.length} octets`);
    METER.handle(connection, octets);
    METER.disconnect(connection);
  }
}

function links(octets: Uint8Array): void {
  const scanner = new LinkScanner();
  scanner.push(octets.subarray(0, octets.length >> 1));
  scanner.push(octets.subarray(octets.length >> 1));
}

const MANY_KEYS = keysForAll({ encryptionKey: fromHex("000102030405060708090a0b0c0d0e0f") });

function telegrams(octets: Uint8Array): void {
  decodeTelegrams(octets, { keys: MANY_KEYS });
}

/** SNRM of client 16, and the UA that answers it. */
const SNRM = fromHex("7ea0070321930f017e");
const UA = fromHex("7ea01e210373c37a818012050180060180070400000001080400000001533b7e");

function stations(octets: Uint8Array): void {
  const station = new HdlcServer({ logicalDevices: [1], physicalDevice: 0x10, maxApduBytes: 1000 });
  for (const input of [octets, SNRM, octets, octets])
    for (const action of station.step({ kind: "octets", octets: input }, 0))
      if (action.kind === "apdu") station.step({ kind: "respond", peer: action.peer, apdus: [action.apdu] }, 0);
  const client = new HdlcClient({ clientAddress: 0x10, server: { logicalDevice: 1 }, maxApduBytes: 1000 });
  client.step({ kind: "connect" }, 0);
  client.step({ kind: "octets", octets: UA }, 0);
  if (!client.isConnected) throw new Finding("hdlc stations: no connection");
  for (let now = 1; now < 4; now += 1) {
    if (client.isIdle) client.step({ kind: "send", apdu: octets.subarray(0, 300) }, now);
    client.step({ kind: "octets", octets }, now);
  }
}

function bus(octets: Uint8Array): void {
  const slave = new MbusServer({ address: 5, serverSaps: [1, 0x67], maxApduBytes: 600 });
  for (const input of [octets, octets])
    for (const action of slave.step({ kind: "octets", octets: input }))
      if (action.kind === "apdu") slave.step({ kind: "respond", peer: action.peer, apdus: [action.apdu] });
  const master = new MbusClient({ address: 5, clientSap: 0x67, serverSap: 1, maxApduBytes: 600 });
  master.step({ kind: "connect" }, 0);
  master.step({ kind: "octets", octets: Uint8Array.of(0xe5) }, 0);
  master.step({ kind: "send", apdu: octets.subarray(0, 300) }, 0);
  for (let now = 1; now < 3; now += 1) master.step({ kind: "octets", octets }, now);
}

function openings(octets: Uint8Array): void {
  const reader = new ModeEClient();
  reader.step({ kind: "start" }, 0);
  reader.step({ kind: "octets", octets }, 1);
  new ModeEServer({ manufacturer: "MKP", identification: "m" }).step({ kind: "octets", octets }, 0);
}

function datagrams(octets: Uint8Array): void {
  const client = new DatagramClient({ clientSap: 16, serverSap: 1 });
  client.step({ kind: "send", apdu: octets.subarray(0, 300) }, 0);
  client.step({ kind: "datagram", octets }, 1);
  const station = new DatagramServer();
  for (const from of ["a", "b", "a"]) station.step({ kind: "datagram", from, octets }, 1);
}
