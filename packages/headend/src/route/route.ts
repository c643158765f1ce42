import { fromHex, type GatewayAddress, toHex } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import { NETWORK_TYPES, type NetworkType } from "./networks.ts";

/** What every way has. */
interface Way {
  /** Undefined where nobody has said: then as over a mobile network. */
  readonly network?: NetworkType;
}

/** To a port: of the meter itself, or of a gateway before it. */
export interface DirectRoute extends Way {
  /** Wrapper over TCP, wrapper over UDP, HDLC over TCP. */
  readonly kind: "tcp" | "udp" | "hdlc";
  readonly host: string;
  readonly port: number;
  /** Its network gives it another host now and then, and it says so itself (`Moves`). */
  readonly moves?: true;
  /** HDLC: the physical device; absent where the address has one octet. */
  readonly device?: number;
  /** The meter is behind the one that is connected to (gateway protocol, Green Book 10.10). */
  readonly gateway?: GatewayAddress;
}

/** Through a data concentrator, by the address that it knows the meter by. */
export interface ConcentratorRoute extends Way, GatewayAddress {
  readonly kind: "concentrator";
  /** Name in its certificate. */
  readonly concentrator: string;
}

/** Over the connection that the meter itself has made. */
export interface DialInRoute extends Way {
  readonly kind: "dial-in";
  /** System title, 16 upper-case hex digits. */
  readonly title: string;
}

/** A way to a meter. It says where to speak, and nothing about who answers. */
export type Route = DirectRoute | ConcentratorRoute | DialInRoute;

const DIRECT = /^(tcp|udp|hdlc):\/\/(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})$/;
const CONCENTRATOR = /^concentrator:\/\/([A-Za-z0-9._-]{1,64})\/(\d{1,3})\/((?:[0-9A-Fa-f]{2}){1,64})$/;
const DIAL_IN = /^dial-in:\/\/([0-9A-F]{16})$/;
const OPTIONS: ReadonlySet<string> = new Set(["device", "gateway", "moves", "network"]);
/** Fourteen bits. */
const MOST_HDLC_DEVICE = 0x3fff;
const GATEWAY = /^(\d{1,3})\/((?:[0-9A-Fa-f]{2}){1,64})$/;

/**
 * Reads the text of a route: `tcp://10.0.0.1:4059`, `udp://meter.example:4059?network=nb-iot`,
 * `hdlc://10.0.0.2:4001?device=17`, `tcp://10.0.0.3:4059?gateway=0/0A0B`, `tcp://10.0.0.4:4059?moves=yes`, `concentrator://dc-1/0/4D4B560000000001`,
 * `dial-in://4D4B560000000001`.
 *
 * @throws HeadEndError `route-invalid`
 */
export function parseRoute(text: string): Route {
  const [place = "", query = ""] = text.split("?", 2);
  const options = new URLSearchParams(query);
  const way = wayOf(text, options);
  const concentrator = CONCENTRATOR.exec(place);
  const isDirect = options.has("gateway") || options.has("device") || options.has("moves");
  if (concentrator !== null && !isDirect)
    return {
      kind: "concentrator",
      concentrator: concentrator[1] as string,
      ...gatewayOf(text, `${concentrator[2]}/${concentrator[3]}`),
      ...way,
    };
  const dialIn = DIAL_IN.exec(place);
  if (dialIn !== null && !isDirect) return { kind: "dial-in", title: dialIn[1] as string, ...way };
  const [, kind, host = "", port] = DIRECT.exec(place) ?? [];
  if (!(Number(port) >= 1 && Number(port) <= 65_535)) throw invalid(text);
  const gateway = options.get("gateway");
  const device = options.get("device");
  if (device !== null && !(kind === "hdlc" && /^\d{1,5}$/.test(device) && Number(device) <= MOST_HDLC_DEVICE))
    throw invalid(text);
  const moves = options.get("moves");
  // Who is behind a gateway is where the gateway is, whoever says what.
  if (moves !== null && (moves !== "yes" || gateway !== null)) throw invalid(text);
  return {
    kind: kind as DirectRoute["kind"],
    host: host.replace(/^\[|\]$/g, ""),
    port: Number(port),
    ...(moves === null ? {} : { moves: true }),
    ...(device === null ? {} : { device: Number(device) }),
    ...(gateway === null ? {} : { gateway: gatewayOf(text, gateway) }),
    ...way,
  };
}

/** The text of a route, as {@link parseRoute} reads it. */
export function routeText(route: Route): string {
  const network = route.network === undefined ? [] : [`network=${route.network}`];
  if (route.kind === "dial-in") return withOptions(`dial-in://${route.title}`, network);
  if (route.kind === "concentrator")
    return withOptions(`concentrator://${route.concentrator}/${gatewayText(route)}`, network);
  const { kind, host, port, moves, device, gateway } = route;
  const options = [
    ...(moves === undefined ? [] : ["moves=yes"]),
    ...(device === undefined ? [] : [`device=${device}`]),
    ...(gateway === undefined ? [] : [`gateway=${gatewayText(gateway)}`]),
    ...network,
  ];
  return withOptions(`${kind}://${host.includes(":") ? `[${host}]` : host}:${port}`, options);
}

function withOptions(place: string, options: readonly string[]): string {
  return options.length === 0 ? place : `${place}?${options.join("&")}`;
}

function gatewayText({ networkId, physicalAddress }: GatewayAddress): string {
  return `${networkId}/${toHex(physicalAddress).toUpperCase()}`;
}

function gatewayOf(text: string, gateway: string): GatewayAddress {
  const [, network, address = ""] = GATEWAY.exec(gateway) ?? [];
  if (network === undefined || Number(network) > 0xff) throw invalid(text);
  return { networkId: Number(network), physicalAddress: fromHex(address) };
}

function wayOf(text: string, options: URLSearchParams): Way {
  for (const name of options.keys()) if (!OPTIONS.has(name)) throw invalid(text);
  const name = options.get("network");
  if (name === null) return {};
  const network = NETWORK_TYPES.find((type) => type === name);
  if (network === undefined) throw invalid(text);
  return { network };
}

function invalid(text: string): HeadEndError {
  const said = JSON.stringify(text.slice(0, 200));
  return new HeadEndError("route-invalid", `${said} is no way to a meter such as tcp://192.0.2.1:4059`);
}
