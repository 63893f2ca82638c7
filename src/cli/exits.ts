/** Exit codes that systemd knows by name, and after which the service is not started again. */
export const exits = {
  /** EX_CONFIG: `launch --foreground` can't start before somebody changes something */
  config: 78,
  /** systemd's own: the program could not be run */
  exec: 203,
} as const;
