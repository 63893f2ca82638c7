/** Where things are on the host. */
export const paths = {
  /** LMDB, the peer's name, the shims; survives a reboot */
  state: '/var/lib/weave',
  /** sockets, pid file */
  run: '/var/run/weave',
  control: '/var/run/weave/control.sock',
  proxy: 'unix:///var/run/weave/weave.sock',
  log: '/var/log/weavets.log',
} as const;

/** Where a person finds the log. */
export const logPlace = `${paths.log} (under systemd: journalctl -u weavets)`;
