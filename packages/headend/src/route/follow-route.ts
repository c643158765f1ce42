import { connectHdlc, connectWrapper, connectWrapperUdp } from "@meterkeep/dlms-node";
import { HeadEndError } from "../errors.ts";
import type { Dial, MeterLine, Saps } from "../session/line.ts";
import type { Calls } from "./calls.ts";
import type { Concentrators } from "./concentrators.ts";
import { NETWORKS, type NetworkType } from "./networks.ts";
import type { DirectRoute, Route } from "./route.ts";

/** What keeps connections over more than one session; absent where a process has none. */
export interface RoutePorts {
  readonly concentrators?: Pick<Concentrators, "open">;
  readonly calls?: Pick<Calls, "open">;
}

/** A network of which nobody has said what it is. */
const USUAL: NetworkType = "cellular";
/** A meter behind a gateway or a concentrator takes as long as the slow line between the two. */
const USUAL_BEHIND: NetworkType = "plc";

/** The one way to follow routes, of every kind. */
export function routeDial(ports: RoutePorts = {}): Dial {
  return async (route, saps, signal): Promise<MeterLine> => {
    switch (route.kind) {
      case "tcp":
      case "udp":
      case "hdlc":
        return direct(route, saps, signal);
      case "concentrator":
        return need(ports.concentrators, route).open(
          route.concentrator,
          { ...saps, ...responseTimes(route), gateway: route },
          signal,
        );
      case "dial-in":
        return need(ports.calls, route).open(route.title, { ...saps, ...responseTimes(route) });
      default:
        return route satisfies never;
    }
  };
}

function direct(route: DirectRoute, { clientSap, serverSap }: Saps, signal: AbortSignal): Promise<MeterLine> {
  const { kind, host, port, gateway } = route;
  const { connectSeconds, retransmitSeconds } = networkOf(route);
  const target = {
    host,
    port,
    clientSap,
    serverSap,
    signal,
    connectTimeoutMilliseconds: connectSeconds * 1000,
    ...responseTimes(route),
    ...(gateway === undefined ? {} : { gateway }),
  };
  const server = { logicalDevice: serverSap, physicalDevice: route.device };
  if (kind === "hdlc") return connectHdlc({ ...target, clientAddress: clientSap, server });
  if (kind === "udp") return connectWrapperUdp({ ...target, retryMilliseconds: retransmitSeconds * 1000 });
  return connectWrapper(target);
}

function networkOf(route: Route): (typeof NETWORKS)[NetworkType] {
  const isBehind = route.kind === "concentrator" || (route.kind !== "dial-in" && route.gateway !== undefined);
  return NETWORKS[route.network ?? (isBehind ? USUAL_BEHIND : USUAL)];
}

function responseTimes(route: Route) {
  const { associationSeconds, responseSeconds } = networkOf(route);
  return {
    firstResponseTimeoutMilliseconds: associationSeconds * 1000,
    responseTimeoutMilliseconds: responseSeconds * 1000,
  };
}

function need<T>(port: T | undefined, { kind }: Route): T {
  if (port === undefined) throw new HeadEndError("route-invalid", `this process follows no route of the kind ${kind}`);
  return port;
}
