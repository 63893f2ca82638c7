/**
 * Flags of node for the daemon. V8 lets what is young grow to 48 MB before it looks for garbage there, and never gives
 * them back; the daemon makes little garbage, and is as quick with a few. What is old may grow fourfold before V8 looks,
 * where its limit is gigabytes, as on large machines: the heap came to 112 MB in 5,000 starts, and to 85 with this
 * alone; daemon/main.ts says how soon it looks. And grpc names etcd's IP address as the server's name, of which Node would
 * say in the log that it ignores it.
 */
export const daemonFlags = [
  '--max-semi-space-size=2',
  '--max-old-space-size=512',
  '--disable-warning=DEP0123',
] as const;

/**
 * What the daemon's environment has: glibc gives back what is freed, where by default it keeps up to twice the largest
 * piece that was ever freed: 40 MB beside the program's own text come to 34 after a launch.
 */
export const daemonEnvironment = { MALLOC_TRIM_THRESHOLD_: '131072' } as const;
