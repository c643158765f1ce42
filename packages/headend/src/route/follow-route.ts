import { connectHdlc, connectWrapper, connectWrapperUdp } from "@meterkeep/dlms-node";
import { HeadEndError } from "../errors.ts";
import type { Dial, MeterLine, Saps } from "../session/line.ts";
import type { Calls } from "./calls.ts";
import type { Concentrators } from "./concentrators.ts";
import { NETWORKS, type NetworkFacts, type NetworkType } from "./networks.ts";
import type { DirectRoute, Route } from "./route.ts";

/** What keeps connections over more than one session; absent where a process has none. */
export interface RoutePorts {
  readonly concentrators?: Pick<Concentrators, "open">;
  readonly calls?: Pick<Calls, "open">;
  /** Where another process holds them: the way over it, in place of both. */
  readonly held?: Dial;
}

type Networks = Readonly<Record<NetworkType, NetworkFacts>>;

/** A network of which nobody has said what it is. */
const USUAL: NetworkType = "cellular";
/** A meter behind a gateway or a concentrator takes as long as the slow line between the two. */
const USUAL_BEHIND: NetworkType = "plc";

/** The one way to follow routes, of every kind, with the patience that each network takes. */
export function routeDial(ports: RoutePorts = {}, networks: Networks = NETWORKS): Dial {
  return async (route, saps, signal): Promise<MeterLine> => {
    const facts = networks[networkOf(route)];
    switch (route.kind) {
      case "tcp":
      case "udp":
      case "hdlc":
        return direct(route, facts, saps, signal);
      case "concentrator":
        if (ports.held !== undefined) return ports.held(route, saps, signal);
        return need(ports.concentrators, route).open(
          route.concentrator,
          { ...saps, ...responseTimes(facts), gateway: route },
          signal,
        );
      case "dial-in":
        if (ports.held !== undefined) return ports.held(route, saps, signal);
        return need(ports.calls, route).open(route.title, { ...saps, ...responseTimes(facts) });
      default:
        return route satisfies never;
    }
  };
}

/** What the network is that a route goes over, where the route does not say it. */
export function networkOf(route: Route): NetworkType {
  const isBehind = route.kind === "concentrator" || (route.kind !== "dial-in" && route.gateway !== undefined);
  return route.network ?? (isBehind ? USUAL_BEHIND : USUAL);
}

function direct(
  route: DirectRoute,
  facts: NetworkFacts,
  { clientSap, serverSap }: Saps,
  signal: AbortSignal,
): Promise<MeterLine> {
  const { kind, host, port, gateway } = route;
  const target = {
    host,
    port,
    clientSap,
    serverSap,
    signal,
    connectTimeoutMilliseconds: facts.connectSeconds * 1000,
    ...responseTimes(facts),
    ...(gateway === undefined ? {} : { gateway }),
  };
  const server = { logicalDevice: serverSap, physicalDevice: route.device };
  if (kind === "hdlc") return connectHdlc({ ...target, clientAddress: clientSap, server });
  if (kind === "udp") return connectWrapperUdp({ ...target, retryMilliseconds: facts.retransmitSeconds * 1000 });
  return connectWrapper({ ...target, frameTimeoutMilliseconds: facts.frameSeconds * 1000 });
}

function responseTimes({ associationSeconds, responseSeconds }: NetworkFacts) {
  return {
    firstResponseTimeoutMilliseconds: associationSeconds * 1000,
    responseTimeoutMilliseconds: responseSeconds * 1000,
  };
}

function need<T>(port: T | undefined, { kind }: Route): T {
  if (port === undefined) throw new HeadEndError("route-invalid", `this process follows no route of the kind ${kind}`);
  return port;
}
