/** What a meter is attached over, as far as it decides how long things take. */
export const NETWORK_TYPES = ["lan", "cellular", "nb-iot", "plc"] as const;
export type NetworkType = (typeof NETWORK_TYPES)[number];

/**
 * How patient one is with a kind of network. A meter that is slower than this is lost for the moment and comes back at its
 * next turn; what is longer than needed keeps a worker, and at 8 o'clock workers are what is scarce.
 */
export interface NetworkFacts {
  /** Until a TCP connection is made: cellular networks page the modem first, and a device in eDRX is paged late. */
  readonly connectSeconds: number;
  /** For the first answer on a connection, the AARE: a meter may look keys up for it. */
  readonly associationSeconds: number;
  /** For each further one. Over power-line carrier it waits for its turn behind those of a hundred other meters. */
  readonly responseSeconds: number;
  /** In which a frame that has begun must be whole, however its octets drip. */
  readonly frameSeconds: number;
  /** Before a datagram is sent again: so long that one on its way is not doubled. */
  readonly retransmitSeconds: number;
  /**
   * Between two probes of a connection that is kept (RFC 1122, 4.2.3.6): below the time after which address translators of
   * cellular networks forget it, two minutes and more.
   */
  readonly keepAliveSeconds: number;
  /** Silence after which a connection that is kept counts as dead. */
  readonly idleSeconds: number;
  /** How long a meter that was woken may take to call: an SMS is valid for five minutes. */
  readonly wakeSeconds: number;
}

/** Patience by network. */
export const NETWORKS: Readonly<Record<NetworkType, NetworkFacts>> = {
  lan: {
    connectSeconds: 3,
    associationSeconds: 15,
    responseSeconds: 30,
    frameSeconds: 10,
    retransmitSeconds: 2,
    keepAliveSeconds: 300,
    idleSeconds: 3_600,
    wakeSeconds: 60,
  },
  cellular: {
    connectSeconds: 10,
    associationSeconds: 15,
    responseSeconds: 30,
    frameSeconds: 10,
    retransmitSeconds: 5,
    keepAliveSeconds: 110,
    idleSeconds: 3_600,
    wakeSeconds: 300,
  },
  "nb-iot": {
    connectSeconds: 30,
    associationSeconds: 60,
    responseSeconds: 60,
    frameSeconds: 10,
    retransmitSeconds: 30,
    keepAliveSeconds: 900,
    idleSeconds: 14_400,
    wakeSeconds: 300,
  },
  plc: {
    connectSeconds: 10,
    associationSeconds: 120,
    responseSeconds: 120,
    frameSeconds: 10,
    retransmitSeconds: 30,
    keepAliveSeconds: 110,
    idleSeconds: 3_600,
    wakeSeconds: 60,
  },
};
