import { BlockList, isIP } from "node:net";
import { HeadEndError } from "../errors.ts";
import type { Address } from "../inventory/meter.ts";

/** Networks in which a utility's own gateways stand: private ones. Whoever has others says so. */
export const DEFAULT_GATEWAY_NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"] as const;

/** No gateway is ever there, whatever is configured: this host, this link and its metadata services, groups. */
const NEVER = [
  "0.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "255.255.255.255/32",
  "100.100.100.200/32",
  "192.0.0.192/32",
  "::/128",
  "fe80::/10",
  "ff00::/8",
  "fd00:ec2::254/128",
];
const LOOPBACK = ["127.0.0.0/8", "::1/128"];

export interface GatewayPolicyPorts {
  /** Networks (CIDR) in which gateways may stand. Loopback is one only where it is named by itself, never as part of more. */
  readonly networks: readonly string[];
  /** Ports of this platform, which nobody shall make it connect to. */
  ownPorts(): readonly number[];
  /** All addresses of a host name, or the address itself. */
  resolve(host: string): Promise<readonly string[]>;
}

/** Decides where the head-end connects to because somebody asked for it. */
export interface GatewayPolicy {
  /**
   * The numeric address to connect to: what was checked is what is connected to, so that a name cannot answer differently the
   * second time. @throws HeadEndError `gateway-address-refused`, and whatever resolving the name throws.
   */
  permit(address: Address): Promise<Address>;
}

/**
 * Refuses whatever is not in a network that the configuration names. A machine's address is only permitted when all
 * addresses of its name are.
 */
export function createGatewayPolicy(ports: GatewayPolicyPorts): GatewayPolicy {
  const never = listOf(NEVER);
  const loopback = listOf(LOOPBACK);
  const isLoopback = (network: string): boolean => contains(loopback, network.split("/")[0] as string);
  const permittedLoopback = listOf(ports.networks.filter(isLoopback));
  const permitted = listOf(ports.networks.filter((network) => !isLoopback(network)));
  const refusal = (ip: string, port: number): string | undefined => {
    if (contains(never, ip)) return "nothing but this machine, its own link or a group is there";
    if (contains(loopback, ip)) {
      if (!contains(permittedLoopback, ip)) return "it is this machine itself";
      return ports.ownPorts().includes(port) ? "it is a port of Meterkeep itself" : undefined;
    }
    return contains(permitted, ip) ? undefined : "it is in no network that --gateway-networks names";
  };
  return {
    permit: async ({ host, port }) => {
      const found = await ports.resolve(host);
      for (const ip of found) {
        const why = refusal(ip, port);
        if (why !== undefined)
          throw new HeadEndError(
            "gateway-address-refused",
            `${host}:${port} is not listened to: ${why}. Start with --gateway-networks to permit other networks`,
          );
      }
      const [first] = found;
      if (first === undefined) throw new HeadEndError("gateway-address-refused", `${host} has no address`);
      return { host: first, port };
    },
  };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [base = "", prefix = ""] = network.split("/");
    list.addSubnet(base, Number(prefix), isIP(base) === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

/** IPv4 in IPv6 clothes (`::ffff:127.0.0.1`) counts as the IPv4 address that it is. */
function contains(list: BlockList, ip: string): boolean {
  const plain = ip.replace(/%.*$/, "");
  return isIP(plain) === 6 ? list.check(plain, "ipv6") : list.check(plain, "ipv4");
}
