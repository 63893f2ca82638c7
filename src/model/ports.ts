/** UDP: heartbeat between the daemons. */
export const heartbeatPort = 6783;
/** TCP: hosts that join a cluster ask here; the port of Weave Net. */
export const joinPort = 6783;
/** UDP: containers' traffic between hosts; the port of Weave Net. */
export const vxlanPort = 6784;
/** UDP: the same, encrypted. */
export const wireguardPort = 6785;
/** TCP: the proxy, where a host has one on TCP. */
export const proxyPort = 12375;
/** TCP: etcd, for its clients. */
export const etcdPort = 2379;
/** TCP: etcd, for its members. */
export const etcdPeerPort = 2380;
/** TCP: the etcd that weavets runs, for its clients. */
export const memberClientPort = 6786;
/** TCP: the same, for its members among themselves. */
export const memberPeerPort = 6787;
