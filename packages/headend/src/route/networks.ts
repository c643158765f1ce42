/** What a meter is attached over, as far as it decides how long things take. */
export const NETWORK_TYPES = ["lan", "cellular", "nb-iot", "plc"] as const;
export type NetworkType = (typeof NETWORK_TYPES)[number];

/** How patient one is with a kind of network. */
export interface NetworkFacts {
  readonly connectSeconds: number;
  /** For the first answer on a connection. */
  readonly associationSeconds: number;
  /** For each further one. */
  readonly responseSeconds: number;
  /** Before a datagram is sent again: so long that one on its way is not doubled. */
  readonly retransmitSeconds: number;
  /** Between two probes of a connection that is kept: below the time after which address translators forget it. */
  readonly keepAliveSeconds: number;
  /** Silence after which a connection that is kept counts as dead. */
  readonly idleSeconds: number;
  /** How long a meter that was called may take to come. */
  readonly wakeSeconds: number;
}

/** Patience by network. */
export const NETWORKS: Readonly<Record<NetworkType, NetworkFacts>> = {
  lan: {
    connectSeconds: 3,
    associationSeconds: 15,
    responseSeconds: 30,
    retransmitSeconds: 2,
    keepAliveSeconds: 300,
    idleSeconds: 3_600,
    wakeSeconds: 60,
  },
  cellular: {
    connectSeconds: 10,
    associationSeconds: 15,
    responseSeconds: 30,
    retransmitSeconds: 5,
    keepAliveSeconds: 110,
    idleSeconds: 3_600,
    wakeSeconds: 300,
  },
  "nb-iot": {
    connectSeconds: 30,
    associationSeconds: 60,
    responseSeconds: 60,
    retransmitSeconds: 30,
    keepAliveSeconds: 900,
    idleSeconds: 14_400,
    wakeSeconds: 300,
  },
  plc: {
    connectSeconds: 10,
    associationSeconds: 120,
    responseSeconds: 120,
    retransmitSeconds: 30,
    keepAliveSeconds: 110,
    idleSeconds: 3_600,
    wakeSeconds: 60,
  },
};
